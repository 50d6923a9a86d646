"""An AWS account on loopback, with EKS clusters whose API servers are real.

ministack answers for IAM, STS, EC2, CloudFormation and the rest; EKS is answered here, because a provider for EKS
depends on exactly what ministack leaves out: states that take time, refusals, paging, tokens, and API servers that
check who is asking.
"""
