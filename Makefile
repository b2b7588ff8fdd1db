# The commands of oneprice. `make` shows them.
GO       ?= go
DATA     ?= ../shared/data
BIN      := bin/oneprice
TRIO     := $(DATA)/binance/spot-btcusdt.jsonl.gz $(DATA)/binance/usdm-btcusdt.jsonl.gz $(DATA)/binance/cm-btcusd_perp.jsonl.gz
FUZZTIME ?= 30s
FOR      ?= 30s
SEED     ?= 1
COUNT    ?= 100
# The packages with benchmarks of their own.
BENCHED   = $(addprefix ./,$(sort $(dir $(shell git grep -l '^func Benchmark' -- '*_test.go' ':!bench'))))
# Stock clients of venues live in a module of their own; without a network its dependencies may be missing.
PEERS    := bench/peers
peers     = if out=$$(cd $(PEERS) && $(GO) mod download 2>&1); then cd $(PEERS) && $(1); else echo "SKIPPED $(PEERS): its modules cannot be downloaded ($$(echo "$$out" | tail -1))"; fi

.DEFAULT_GOAL := help
.PHONY: help build fmt check test long race fuzz sim planted bench bench-readme demo soak backtest conform conform-readme

help: ## show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/oneprice
	$(GO) build -trimpath -o $(BIN) ./cmd/oneprice

fmt: ## format every file
	gofmt -w $$(git ls-files -co --exclude-standard '*.go')

check: ## format, vet, lint and house rules; changes nothing
	@out=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); [ -z "$$out" ] || { echo "not formatted, run make fmt:"; echo "$$out"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	@lint=$$($(GO) tool -n staticcheck) && $(call peers,$(GO) vet ./... && $$lint ./...)
	$(GO) test -count=1 ./bench/rules

test: check ## what CI runs: check and every test, in minutes
	$(GO) test ./...
	@$(call peers,$(GO) test ./...)

long: ## the slow tests: more seeds, whole recordings, more kills
	ONEPRICE_LONG=1 $(GO) test -count=1 -timeout 60m ./...

race: ## every test under the race detector
	$(GO) test -race -timeout 30m ./...

fuzz: ## every fuzz target for FUZZTIME (default 30s) each
	@set -e; for p in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz' || true); do \
	    echo "== $$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$p; \
	  done; done

sim: ## the whole engine in virtual time against everything at once: COUNT seeds (default 100) from SEED (default 1)
	$(GO) test ./cmd/app -count=1 -timeout 24h -run '^TestSim_holdsWhateverHappens$$' -args -sim.seed $(SEED) -sim.count $(COUNT)

planted: ## the simulation finds each of the planted faults within 200 seeds
	$(GO) test ./cmd/app -tags planted -count=1 -timeout 2h -v -run '^TestSim_findsWhatIsPlanted$$'

bench: ## every speed row against its bar, in one table and out/bench.json; fails where one misses
	@mkdir -p out && rm -f out/peers.json
	@echo "== packages"; $(GO) test -p 1 -run '^$$' -bench . -benchtime 20ms $(BENCHED) > out/packages.txt
	@echo "== peers"; $(call peers,$(GO) test -count=1 -run '^$$' -bench . -benchtime 1x .)
	@echo "== rows"; $(GO) test ./bench -count=1 -run '^$$' -bench . -benchtime 1x -packages ../out/packages.txt $$([ -f out/peers.json ] && echo -peers ../out/peers.json)

bench-readme: ## write the table of the last make bench into bench/README.md
	$(GO) test ./bench -count=1 -run TestReadme -update

demo: build ## three simulated venues on this machine and the whole engine, for FOR (default 30s)
	$(BIN) demo --live-sim --for $(FOR)

soak: build ## half an hour of the demo under every fault with signed orders; fails where memory grows or a promise breaks
	@mkdir -p out
	$(BIN) demo --soak --json > out/soak.json

backtest: build ## the main job: recorded markets through the whole engine (a generated recording where DATA is absent)
	@mkdir -p out
	@if [ -r "$(DATA)/binance/spot-btcusdt.jsonl.gz" ]; then \
	  $(BIN) backtest --config backtest-zero-fee --out out/backtest $(TRIO); \
	else \
	  echo "no recordings at $(DATA): using a generated one"; \
	  $(BIN) backtest --config backtest-zero-fee --out out/backtest --synthetic 7; \
	fi

conform: ## every conformance card at every simulated venue, as a table
	cd feeds/conform && $(GO) test -count=1 -show # from its folder, so that what passes is printed too

conform-readme: ## write the table of the cards into feeds/conform/README.md
	$(GO) test ./feeds/conform -count=1 -update
