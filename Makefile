# Every target is one call of bridgehead, built from this tree. `make help` lists them.
SITE    ?= local
CARGO   ?= cargo
ADDON   ?=
CLUSTER ?=
LABEL   ?=
WAVE    ?=
OUTPUT  ?=
YES     ?=
LOST    ?=
PRUNE   ?=
KEEP    ?=
EXPECT  ?=
PROVIDER ?=
BENCH   ?=

# What a site's profile says, and these say otherwise.
ASK_PASS                 ?=
KUBECTX                  ?=
CLUSTER_KUBECTX          ?=
K3S_TARGET_NAME          ?=
K3S_KUBECONFIG_PATH      ?=
ARGOCD_TARGET_NAME       ?=
ARGOCD_SERVER            ?=
ARGOCD_LOGIN_ARGS        ?=
ARGOCD_AUTO_PORT_FORWARD ?=
KUBERNETES_SECRET        ?=

# Make takes every variable of the environment for its own. Many shells export KUBECONFIG, as a list of files or as
# what `k3s/kubeconfig/export` set: it is not an answer to which file the site's contexts belong in. So only the
# one that is typed after `make` counts; otherwise the profile does, and where it names none, what `kubectl` would take.
ifneq ($(filter command%,$(origin KUBECONFIG)),)
kubeconfig = $(KUBECONFIG)
endif

# What the tests' hosts and servers are made and run with.
PARTS = systemd-container mmdebstrap openssh-client openssh-server sudo iproute2 util-linux curl

# The first build takes minutes, in which cargo says what it does.
BRIDGEHEAD = $(CARGO) run $(if $(wildcard target/debug/bridgehead),--quiet )--locked --bin bridgehead --

# An argument for the shell, whatever is in it; an option with it, if the variable has a value.
quote  = '$(subst ','\'',$(1))'
option = $(if $(2), --$(1)=$(call quote,$(2)))

flag_cluster = $(foreach cluster,$(CLUSTER),--cluster $(cluster))
flag_label   = $(foreach label,$(LABEL),--label $(call quote,$(label)))
flag_wave    = $(if $(WAVE),--wave $(call quote,$(WAVE)))
flag_meant   = $(flag_cluster) $(flag_label)
flag_lost    = $(foreach cluster,$(LOST),--lost $(cluster))
flag_output  = $(if $(OUTPUT),--output $(OUTPUT))
flag_prune   = $(if $(PRUNE),--prune)
flag_yes     = $(if $(YES),--yes)
flag_keep    = $(if $(KEEP),--keep)
flag_expect  = $(if $(EXPECT),--expect $(EXPECT))

# Before the command, so that every target takes them. (`$(\` at the end of a line: no space comes after it.)
run = @$(BRIDGEHEAD)$(if $(filter-out false no 0,$(ASK_PASS)), --ask-pass)$(\
      )$(call option,kubeconfig,$(kubeconfig))$(\
      )$(call option,hub-context,$(KUBECTX))$(\
      )$(call option,cluster-context,$(CLUSTER_KUBECTX))$(\
      )$(call option,k3s-target,$(K3S_TARGET_NAME))$(\
      )$(call option,k3s-kubeconfig,$(K3S_KUBECONFIG_PATH))$(\
      )$(call option,argocd-target,$(ARGOCD_TARGET_NAME))$(\
      )$(call option,argocd-server,$(ARGOCD_SERVER))$(\
      )$(call option,argocd-login-args,$(ARGOCD_LOGIN_ARGS))$(\
      )$(call option,argocd-auto-port-forward,$(ARGOCD_AUTO_PORT_FORWARD))

.DEFAULT_GOAL := help
.PHONY: help init graph up plan status down check addon/list addon/on addon/off \
        k3s/install k3s/status k3s/config k3s/kubeconfig k3s/kubeconfig/merge k3s/kubeconfig/export \
        rke2/kubeconfig/merge \
        argocd/install argocd/status argocd/password argocd/password/update argocd/port-forward argocd/cluster/add \
        kubernetes/secret/plan kubernetes/secret/apply site/inventory/render \
        kubeconfig components components/fetch test test/parts lint bench kill-matrix silence-matrix

help: ## List the targets
	@echo "make TARGET SITE=name   (default: local)"
	@awk -F ':.*## ' '/^[a-z0-9\/-]+:.*## / { printf "  %-24s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo "Variables: SITE, CLUSTER=\"dev staging\", LABEL=\"environment=dev\", ADDON=name, WAVE=25%, OUTPUT=live|lines|json, YES=1, KEEP=1, EXPECT=digest, PRUNE=1, LOST=\"gpu\", PROVIDER=k3s"
	@echo "Instead of what the profile says: ASK_PASS=true, KUBECONFIG, KUBECTX, CLUSTER_KUBECTX, K3S_TARGET_NAME,"
	@echo "  K3S_KUBECONFIG_PATH, ARGOCD_TARGET_NAME, ARGOCD_SERVER, ARGOCD_LOGIN_ARGS, ARGOCD_AUTO_PORT_FORWARD,"
	@echo "  KUBERNETES_SECRET"

up: ## Bring the site up, or back to what its profile says
	$(run) up $(SITE) $(flag_meant) $(flag_output) $(flag_yes) $(flag_expect) $(flag_prune)

plan: ## Show what `up` would change
	$(run) plan $(SITE) $(flag_meant) $(flag_output) $(flag_prune)

status: ## Show clusters, Applications and drift
	$(run) status $(SITE) $(flag_meant) $(flag_output)

down: ## Take the site away
	$(run) down $(SITE) $(flag_meant) $(flag_lost) $(flag_output) $(flag_yes)

init: ## Write a profile for a new SITE: PROVIDER=local|k3s|eks|existing
	$(run) init $(SITE)$(call option,provider,$(PROVIDER))

graph: ## Print the fleet as a picture (Mermaid)
	$(run) graph $(SITE)

check: ## Validate the profile
	$(run) check $(SITE)

addon/list: ## Clusters and addons: profile, label, live
	$(run) addon list $(SITE) $(flag_meant)

addon/on: ## Switch ADDON on (CLUSTER=..., LABEL=..., WAVE=25, YES=1)
	$(run) addon on $(SITE) $(ADDON) $(flag_meant) $(flag_wave) $(flag_output) $(flag_yes)

addon/off: ## Switch ADDON off (CLUSTER=..., LABEL=..., WAVE=25%, KEEP=1, YES=1)
	$(run) addon off $(SITE) $(ADDON) $(flag_meant) $(flag_wave) $(flag_output) $(flag_yes) $(flag_keep)

k3s/install: ## Install k3s on the site's hosts
	$(run) k3s install $(SITE) $(flag_output)

k3s/status: ## Show units, versions and nodes of the hosts
	$(run) k3s status $(SITE) $(flag_output)

k3s/config: ## Print the config.yaml of every host
	$(run) k3s config $(SITE)

k3s/kubeconfig: ## Save the hub's kubeconfig (~/.kube/SITE.yml or K3S_KUBECONFIG_PATH)
	$(run) k3s kubeconfig $(SITE)

k3s/kubeconfig/merge: ## Merge the site's contexts into the main kubeconfig
	$(run) kubeconfig merge $(SITE)

# With `-C`, make itself prints which folder it enters, before it reads this; `-s` keeps it from that.
k3s/kubeconfig/export: ## Print what makes a shell use it: eval "$(make -s k3s/kubeconfig/export)"
	$(run) kubeconfig export $(SITE)

rke2/kubeconfig/merge: ## Fetch the kubeconfig of the RKE2 server and merge it
	$(run) rke2 kubeconfig $(SITE) --merge

argocd/install: ## Install Argo CD on a hub that is up
	$(run) argocd install $(SITE) $(flag_output)

argocd/status: ## Show Argo CD on the hub
	$(run) argocd status $(SITE) $(flag_output)

argocd/password: ## Print the admin password of Argo CD
	$(run) argocd password $(SITE)

argocd/password/update: ## Set the admin password of Argo CD
	$(run) argocd password update $(SITE)

argocd/port-forward: ## Reach Argo CD on a loopback port until Ctrl-C
	$(run) argocd port-forward $(SITE)

argocd/cluster/add: ## Register the spoke of `argocd.cluster_context`
	$(run) cluster add $(SITE)

kubernetes/secret/plan: ## Show what of the declared Secrets would change (KUBERNETES_SECRET=name: one)
	$(run) secret plan $(SITE) $(KUBERNETES_SECRET)

kubernetes/secret/apply: ## Apply the declared Secrets (KUBERNETES_SECRET=name: one)
	$(run) secret apply $(SITE) $(KUBERNETES_SECRET)

site/inventory/render: ## Print the site's inventory for Ansible
	$(run) inventory render $(SITE)

kubeconfig: ## Print a kubeconfig of all the site's clusters
	$(run) kubeconfig show $(SITE)

components: ## Show what `local` runs: version, origin, checksum
	@$(BRIDGEHEAD) components

components/fetch: ## Get the components of `local` now
	@$(BRIDGEHEAD) components fetch

test: test/parts components/fetch ## Run every test, on real servers
	$(CARGO) test --locked --no-fail-fast

test/parts: ## Install what the tests run (Debian, as root)
	@missing=$$(for part in $(PARTS); do dpkg-query --show --showformat='$${db:Status-Status}' $$part 2>/dev/null \
		| grep -qx installed || echo $$part; done); \
	test -z "$$missing" || { echo "The tests need the packages" $$missing; apt-get update && apt-get install --yes --no-install-recommends $$missing; }

lint: ## Formatting and lints
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- --deny warnings

bench: components/fetch ## Measure against what people use, and write docs/bench.md (BENCH=fleet: docs/bench-fleet.md, long)
	$(CARGO) build --locked --release --example k3s
	BRIDGEHEAD_BENCH=$(BENCH) $(CARGO) bench --locked --bench bench

silence-matrix: ## Let a spoke fall silent before every write of `down`, in every way (long)
	BRIDGEHEAD_SILENCE_MATRIX=all $(CARGO) test --locked --test it down::silent -- --nocapture

kill-matrix: ## Kill `up` and `down` before and after every write (long)
	BRIDGEHEAD_KILL_MATRIX=all $(CARGO) test --locked --test it kill -- --nocapture
