"""All parts put together. Imported once the environment is as ministack wants it."""

from __future__ import annotations

import json

from ministack import app as ministack_app
from ministack.services import iam

from . import identity
from .admin import Admin
from .cloudformation import requests, resources
from .ec2 import filters, refusals
from .eks.service import Eks
from .gateway import Gateway
from .kubernetes.planes import Planes
from .kubernetes.processes import Processes
from .options import Options
from .world import World

USER = "operator"


def assemble(options: Options, url: str, processes: Processes) -> tuple[World, Admin, tuple[str, str]]:
    """The emulator as an application, and the key of a user who may do everything."""
    world = World(options.pace)
    if options.components:
        folder = options.state / "clusters"
        world.planes = Planes(folder, options.components, options.node_agent, url, processes)
    refusals.install(world)
    filters.install()
    resources.install(world)
    requests.install()
    identity.install(world)
    gateway = Gateway(world, Eks(world))
    return world, Admin(world, gateway, ministack_app.app), make_operator()


def make_operator() -> tuple[str, str]:
    """Makes a user who may do everything, as somebody who tries things out in an account of their own may."""
    iam._create_user({"UserName": [USER]})
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    parameters = {"UserName": [USER], "PolicyName": ["everything"], "PolicyDocument": [json.dumps(document)]}
    iam._put_user_policy(parameters)
    iam._create_access_key({"UserName": [USER]})
    (key,) = (key for key in iam._access_keys.values() if key["UserName"] == USER)
    return key["AccessKeyId"], key["SecretAccessKey"]
