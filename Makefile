# Everything that is done to this repository. `make` lists it.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

LEDGER_ORDERS ?= 20000
# The worlds of `make simulate`.
SEEDS ?= 100
FIRST ?= 1
# The storm of `make chaos`; a seed of 0 is drawn.
ORDERS ?= 100000
MINUTES ?= 8
SEED ?= 0
# Packages whose tests talk to Kafka; they run on kfake, and on a real cluster when KAFKA_TEST_BROKERS names one.
KAFKA_PACKAGES := ./cmd/cjrelay ./internal/relay ./internal/topics ./internal/edge ./internal/letters ./internal/outcomes ./internal/extent ./internal/replay ./sessions ./consumer

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' Makefile

.PHONY: build
build: ## build ./cjrelay
	go build -o cjrelay ./cmd/cjrelay

.PHONY: test
test: ## all tests, with Kafka and CJ in the test process; needs only Go
	go test -timeout 10m ./...

.PHONY: race
race: ## the same under the race detector
	go test -race -timeout 15m ./...

.PHONY: lint
lint: ## formatting, vet, staticcheck, tidy go.mod
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "gofmt would change: $$unformatted"; exit 1; fi
	go vet -tags kafka,synctests,controls,browser ./...
	go tool staticcheck -tags kafka,synctests,controls,browser ./...
	go mod tidy -diff

.PHONY: vulnerable
vulnerable: ## known vulnerabilities of what we depend on; needs the vulnerability database
	go tool govulncheck ./...

.PHONY: test-kafka
test-kafka: ## the integration tests on a real Kafka cluster; needs a JDK 17, Maven and kcat
	@trap 'deploy/kafka/cluster.sh down' EXIT; \
	deploy/kafka/cluster.sh up 1; \
	export KAFKA_TEST_BROKERS=$$(deploy/kafka/cluster.sh brokers) LEDGER_ORDERS=$(LEDGER_ORDERS); \
	go test -tags kafka -count=1 -timeout 15m -p 1 $(KAFKA_PACKAGES) ./internal/interop

.PHONY: crash-points
crash-points: ## the program killed, stopped and frozen at the worst moments, on a real Kafka cluster
	@trap 'deploy/kafka/cluster.sh down' EXIT; \
	deploy/kafka/cluster.sh up 1; \
	export KAFKA_TEST_BROKERS=$$(deploy/kafka/cluster.sh brokers); \
	go test -tags kafka -count=1 -timeout 10m ./internal/chaos

.PHONY: chaos
chaos: ## ORDERS (100000) over MINUTES (8) while brokers and processes are killed, on three brokers; SEED repeats a scenario
	@trap 'deploy/kafka/cluster.sh down' EXIT; \
	deploy/kafka/cluster.sh up 3; \
	go run ./internal/chaos/storm -orders $(ORDERS) -minutes $(MINUTES) -seed $(SEED)

.PHONY: test-browser
test-browser: ## a real browser on the console, and through the edge, alone and behind nginx and Envoy; needs all three
	go test -tags browser -count=1 -timeout 10m ./internal/browser ./console

.PHONY: simulate
simulate: ## the relay in SEEDS (100) simulated worlds full of faults, from seed FIRST (1) on
	go test -tags synctests -count=1 -timeout 60m ./internal/sim -seeds $(SEEDS) -first $(FIRST)

.PHONY: controls
controls: ## put known bugs back, one at a time: each must turn its check of the simulation red
	go test -tags synctests,controls -count=1 -timeout 60m -run TestControls ./internal/sim

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (30s) each
	@for package in $$(go list ./...); do \
	  for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
	    echo "$$package $$target"; go test -run '^$$' -fuzz "^$$target$$" -fuzztime $${FUZZTIME:-30s} $$package; \
	  done; \
	done

.PHONY: bench
bench: ## acknowledged postbacks a second beside the bare HTTP client, as a ratio, and processor time an order
	go run ./bench/postbacks

.PHONY: bench-join
bench-join: ## restore, warm start, lookups, memory and disk of the click table with ten million sessions; about five minutes
	go run ./bench/join

.PHONY: bench-edge
bench-edge: ## what the edge adds to a page, beside a bare reverse proxy; about five minutes
	go run ./bench/edge
