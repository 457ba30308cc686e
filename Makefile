# The whole project from two commands: `make run` and `make test`.
# Everything they need comes from the package registries; needed beforehand are
# Go 1.26, Python 3.11 or later with pip and venv, and make.

SHELL        := bash
.SHELLFLAGS  := -euo pipefail -c
.DEFAULT_GOAL := help

DATA      ?= data/telco_churn.csv
STATE     ?= .churn
MODULES   := $(shell sed -n 's/^\t\(\.[^ ]*\)$$/\1/p' go.work)
PACKAGES  := $(addsuffix /...,$(MODULES))
GIT_SHA   := $(shell git rev-parse HEAD 2>/dev/null)
VERSION   := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS   := -s -w -X github.com/asfotec/churn/pkg/config.Version=$(VERSION)
SERVICES  := featurizer trainer evaluator gate notifier
GO        := CGO_ENABLED=0 go
PY        := services/modelservice/.venv/bin
LOADER    := --config services/modelservice/pyproject.toml pkg/registry/mlflow/flavor/loader.py

# The same for every command, so that they share what is compiled.
export GOFLAGS := -trimpath -buildvcs=false
export GIT_SHA
export CHURN_STATE_DIR := $(STATE)

.PHONY: help
help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ The main job

.PHONY: run
run: churnctl lightgbm modelservice ## Retrain DATA=file from request to promoted, then serve one prediction
	@bin/churnctl quickstart --data "$(DATA)"

.PHONY: up
up: churnctl lightgbm modelservice ## Keep the local stack running: broker, store, services, ModelService
	@bin/churnctl up

##@ Building

.PHONY: build
build: churnctl services ## Build churnctl and the service binaries into bin/

.PHONY: churnctl
churnctl:
	@$(GO) build -ldflags '$(LDFLAGS)' -o bin/churnctl ./cmd/churnctl

.PHONY: services
services:
	@for s in $(SERVICES); do $(GO) build -ldflags '$(LDFLAGS)' -o bin/$$s ./services/$$s/cmd/$$s; done

.PHONY: lightgbm
lightgbm: ## Get the hash-pinned LightGBM library into build/
	@scripts/lightgbm.sh

.PHONY: realstack
realstack: ## Get the Apache Kafka, MinIO and MLflow of the tests into build/
	@scripts/realstack.sh

.PHONY: browser
browser: ## Link the Chromium of the tests into build/, installed if need be
	@scripts/browser.sh

.PHONY: modelservice
modelservice: ## Install ModelService's hash-pinned requirements into its virtual environment
	@services/modelservice/setup.sh

.PHONY: modelservice-dev
modelservice-dev:
	@services/modelservice/setup.sh --dev

.PHONY: modules
modules: ## Build every module by itself, as the images do
	@for m in $(MODULES); do echo "GOWORK=off go build $$m"; (cd $$m && GOWORK=off $(GO) build -o /dev/null ./...); done

##@ Checking

.PHONY: test
test: build modules lightgbm modelservice-dev realstack browser ## Run every test
	$(GO) vet $(PACKAGES)
	$(GO) test -timeout 30m $(PACKAGES)
	$(PY)/pytest -q services/modelservice
	cd deploy && GOWORK=off $(GO) vet ./... && GOWORK=off $(GO) test -timeout 20m ./...

.PHONY: race
race: lightgbm modelservice-dev realstack ## Run the Go tests under the race detector
	CGO_ENABLED=1 go test -race -timeout 30m $(addsuffix /...,$(filter-out ./test ./bench,$(MODULES)))

.PHONY: lint
lint: bin/golangci-lint modelservice-dev proto-check ## Run every linter
	$(GO) vet $(PACKAGES)
	bin/golangci-lint run $(PACKAGES)
	cd deploy && GOWORK=off ../bin/golangci-lint run ./...
	$(PY)/ruff check services/modelservice
	$(PY)/ruff format --check services/modelservice
	$(PY)/ruff check $(LOADER)
	$(PY)/ruff format --check $(LOADER)
	$(PY)/mypy --config-file services/modelservice/pyproject.toml services/modelservice/modelservice

.PHONY: storm
storm: build lightgbm modelservice-dev realstack ## Kill, pause, cut and repeat on Apache Kafka and MinIO
	CHURN_STORM='$(or $(STORM),{"parts":"real","requests":500,"models":5,"faults":200,"inflight":24,"seed":0,"minutes":20})' \
	$(GO) test ./test -run TestStorm -v -count=1 -timeout 3h

.PHONY: storm-soak
storm-soak: STORM = {"parts":"real","requests":7000,"models":5,"faults":1800,"inflight":16,"seed":0,"minutes":20,"soak":60}
storm-soak: storm ## The same for an hour, in which the services live on, and must not grow

.PHONY: fuzz
fuzz: lightgbm ## Fuzz every parser for FUZZTIME each
	@scripts/fuzz.sh each $(or $(FUZZTIME),30s)

.PHONY: soak
soak: lightgbm ## Fuzz every parser for SOAK in all, beside other work
	@nice -n 5 scripts/fuzz.sh all $(or $(SOAK),1h)

.PHONY: bench
bench: build lightgbm modelservice-dev ## Measure against the Python scripts
	@bench/run.sh

.PHONY: machines-bench
machines-bench: lightgbm ## Train on a million rows by one process and by two: AUC and seconds of both
	$(GO) test ./pkg/gbdt/worker -run '^$$' -bench BenchmarkMillion -benchtime 1x -timeout 30m

.PHONY: gate-study
gate-study: build lightgbm ## Count what the gate promotes of 500 candidates that are just as good, worse and better
	@bench/gate.py --data $(or $(wildcard ../shared/data/telco_churn.csv),$(DATA))

.PHONY: large
large: build lightgbm ## Retrain on ROWS=10000000 rows, each service a process, and tell the most memory that each took
	@bench/large.py --rows $(or $(ROWS),10000000)

.PHONY: scale
scale: build lightgbm ## Time a search of 16 trials with one trainer and with two
	@bench/scale.py

##@ Schemas

.PHONY: proto
proto: bin/buf bin/protoc-gen-go modelservice-dev ## Generate Go and Python code from proto/
	PATH="$(CURDIR)/bin:$(CURDIR)/$(PY):$$PATH" bin/buf format -w
	PATH="$(CURDIR)/bin:$(CURDIR)/$(PY):$$PATH" bin/buf generate

.PHONY: proto-check
proto-check: bin/buf bin/protoc-gen-go modelservice-dev ## Lint the schemas, check for breaking changes and that generated code is current
	@PATH="$(CURDIR)/bin:$(CURDIR)/$(PY):$$PATH" scripts/proto-check.sh

bin/buf: tools/buf/go.mod
	cd tools/buf && GOWORK=off $(GO) build -o ../../$@ github.com/bufbuild/buf/cmd/buf

bin/protoc-gen-go: proto/gen/go.mod
	cd proto/gen && GOWORK=off $(GO) build -o ../../$@ google.golang.org/protobuf/cmd/protoc-gen-go

bin/golangci-lint: tools/golangci-lint/go.mod
	cd tools/golangci-lint && GOWORK=off $(GO) build -o ../../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

##@ Cleaning

.PHONY: clean
clean: ## Remove what was built; the state folder stays
	rm -rf bin build
