# Every target is one call of bridgehead, built from this tree. `make help` lists them.
SITE    ?= local
CARGO   ?= cargo
ADDON   ?=
CLUSTER ?=
OUTPUT  ?=
YES     ?=
KEEP    ?=
EXPECT  ?=

# What the hosts of the tests are made and run with.
PARTS = systemd-container mmdebstrap openssh-client iproute2 util-linux

BRIDGEHEAD = $(CARGO) run --quiet --locked --bin bridgehead --

flag_cluster = $(foreach cluster,$(CLUSTER),--cluster $(cluster))
flag_output  = $(if $(OUTPUT),--output $(OUTPUT))
flag_yes     = $(if $(YES),--yes)
flag_keep    = $(if $(KEEP),--keep)
flag_expect  = $(if $(EXPECT),--expect $(EXPECT))

.DEFAULT_GOAL := help
.PHONY: help up plan status down check addon/list addon/on addon/off argocd/password kubeconfig \
        components components/fetch test test/parts lint bench kill-matrix

help: ## List the targets
	@echo "make TARGET SITE=name   (default: local)"
	@awk -F ':.*## ' '/^[a-z\/-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo "Variables: SITE, CLUSTER=\"dev staging\", ADDON=name, OUTPUT=live|lines|json, YES=1, KEEP=1, EXPECT=digest"

up: ## Bring the site up, or back to what its profile says
	@$(BRIDGEHEAD) up $(SITE) $(flag_cluster) $(flag_output) $(flag_yes) $(flag_expect)

plan: ## Show what `up` would change
	@$(BRIDGEHEAD) plan $(SITE) $(flag_cluster) $(flag_output)

status: ## Show clusters, Applications and drift
	@$(BRIDGEHEAD) status $(SITE) $(flag_output)

down: ## Take the site away
	@$(BRIDGEHEAD) down $(SITE) $(flag_cluster) $(flag_output) $(flag_yes)

check: ## Validate the profile
	@$(BRIDGEHEAD) check $(SITE)

addon/list: ## Clusters and addons: profile, label, live
	@$(BRIDGEHEAD) addon list $(SITE)

addon/on: ## Switch ADDON on (CLUSTER=...)
	@$(BRIDGEHEAD) addon on $(SITE) $(ADDON) $(flag_cluster) $(flag_output)

addon/off: ## Switch ADDON off (CLUSTER=..., KEEP=1, YES=1)
	@$(BRIDGEHEAD) addon off $(SITE) $(ADDON) $(flag_cluster) $(flag_output) $(flag_yes) $(flag_keep)

argocd/password: ## Print the admin password of Argo CD
	@$(BRIDGEHEAD) argocd password $(SITE)

kubeconfig: ## Print a kubeconfig of all the site's clusters
	@$(BRIDGEHEAD) kubeconfig show $(SITE)

components: ## Show what `local` runs: version, origin, checksum
	@$(BRIDGEHEAD) components

components/fetch: ## Get the components of `local` now
	@$(BRIDGEHEAD) components fetch

test: test/parts components/fetch ## Run every test, on real servers
	$(CARGO) test --locked

test/parts: ## Install what the tests' hosts need (Debian, as root)
	@missing=$$(for part in $(PARTS); do dpkg-query --show --showformat='$${db:Status-Status}' $$part 2>/dev/null \
		| grep -qx installed || echo $$part; done); \
	test -z "$$missing" || { apt-get update && apt-get install --yes --no-install-recommends $$missing; }

lint: ## Formatting and lints
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- --deny warnings

bench: components/fetch ## Measure against kubectl, and write docs/bench.md
	$(CARGO) bench --locked --bench bench

kill-matrix: ## Kill `up` and `down` before and after every write (long)
	BRIDGEHEAD_KILL_MATRIX=all $(CARGO) test --locked --test it kill -- --nocapture
