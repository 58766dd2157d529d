# The house's chores. `make test` and `make build` do all the set-up they need on Debian 12 with Swift 6.3.
SHELL := /bin/bash
.DEFAULT_GOAL := build
SWIFT ?= swift
SOURCES = Sources Tests Benchmarks Package.swift
# How many crash rounds `make torture` runs.
COUNT ?= 100

.PHONY: setup build test lint format demo exchange sql flow integration kafka torture torture-flow bench peers clean

## C libraries that the binary links; says what it installs, is silent when nothing is missing
setup:
	@missing=""; for p in libzstd-dev liblz4-dev libsnappy-dev libdeflate-dev zlib1g-dev libbz2-dev liblzma-dev libsqlite3-dev \
	  librdkafka-dev libpq-dev libmariadb-dev libcurl4-openssl-dev; do \
	  dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then \
	  command -v apt-get >/dev/null || { echo "setup: please install$$missing" >&2; exit 1; }; \
	  sudo=""; [ "$$(id -u)" = 0 ] || sudo="sudo"; \
	  echo "setup: installing$$missing with apt-get"; \
	  $$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi

## One binary, optimised, with the Swift runtime inside; prints where it is
build: setup
	$(SWIFT) build -c release --product terrace --static-swift-stdlib
	@echo "$$($(SWIFT) build -c release --show-bin-path)/terrace"

## A shop's change streams through all layers, and what one asks of them: the warehouse at work in two minutes
demo: build
	@demo/run "$$($(SWIFT) build -c release --show-bin-path)/terrace"

## Unit, reference and house tests; before them the quick half of the exchange with other engines, of whole pipelines and of real servers
test: setup
	$(SWIFT) build --build-tests
	Tests/Exchange/run quick "$$($(SWIFT) build --show-bin-path)/terrace"
	Tests/Integration/run quick "$$($(SWIFT) build --show-bin-path)/terrace" $${CI:+--seed 20261121}
	$(SWIFT) test --disable-swift-testing

## Format and the house's own rules (length, arrows, banned words); changes nothing
lint: setup
	$(SWIFT) format lint --strict --parallel --recursive $(SOURCES)
	$(SWIFT) test --disable-swift-testing --filter HouseTests

format:
	$(SWIFT) format --in-place --parallel --recursive $(SOURCES)

## Installs the real readers and writers that ours are compared with
peers:
	Tests/Exchange/setup-peers py java

## All exchanges with pypaimon, Java Paimon, pyarrow, DuckDB and fastavro, with larger counts
exchange: build
	Tests/Exchange/run full "$$($(SWIFT) build -c release --show-bin-path)/terrace"

## Random SQL, TPC-H and TPC-DS against DuckDB: make sql COUNT=20000
sql: build
	Tests/Exchange/setup-peers py tpc
	"$${TERRACE_PEERS:-$$HOME/.cache/terrace-peers}/tpc/bin/python" Tests/Exchange/sql/tpc.py --terrace "$$($(SWIFT) build -c release --show-bin-path)/terrace"
	"$${TERRACE_PEERS:-$$HOME/.cache/terrace-peers}/py/bin/python" Tests/Exchange/sql/random_sql.py --count $(COUNT) --terrace "$$($(SWIFT) build -c release --show-bin-path)/terrace"

## Several processes on one table, killed at random moments: make torture COUNT=1000
torture: build
	Tests/Exchange/setup-peers py
	"$${TERRACE_PEERS:-$$HOME/.cache/terrace-peers}/py/bin/python" Tests/Exchange/torture.py --rounds $(COUNT) --terrace "$$($(SWIFT) build -c release --show-bin-path)/terrace"

## Whole pipelines against DuckDB and pypaimon at the demo's size; NEXMark in 100 batches; 3,000,000-row joins; 100 daily tags
flow: build
	Tests/Flow/run full "$$($(SWIFT) build -c release --show-bin-path)/terrace"

## kill -9 over a running pipeline: make torture-flow COUNT=100
torture-flow: build
	Tests/Flow/run full "$$($(SWIFT) build -c release --show-bin-path)/terrace" --only kills --rounds $(COUNT)

## Real PostgreSQL, MariaDB and MySQL servers and Kafka brokers under load, with kills: make integration COUNT=20 for a longer campaign
integration: build
	Tests/Integration/run full "$$($(SWIFT) build -c release --show-bin-path)/terrace" --rounds $(COUNT)

## The job of issue 4 at size, undisturbed and with failing brokers and kill -9: make kafka COUNT=1000 is 10,000,000 records a side
kafka: build
	Tests/Integration/run full "$$($(SWIFT) build -c release --show-bin-path)/terrace" --only kafka_tests.the_issues_job_at_size --rounds $(COUNT)

## make bench BENCH=store, BENCH=join, kafka, postgres, mariadb, json: our figures beside the peers', one line each
bench: setup
	@Benchmarks/run $(or $(BENCH),store)

clean:
	rm -rf .build
