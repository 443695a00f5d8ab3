# `make demo` and `make test` need nothing but a Rust toolchain on Debian or Ubuntu: they check for the rest, and
# install it where they may.

VENV := .venv/bin/python
CARGO := cargo --locked

.PHONY: demo test bench lint fuzz prerequisites build

demo: build
	target/debug/demo

test: build $(VENV)
	$(CARGO) test --workspace --no-fail-fast

build: prerequisites
	$(CARGO) build --workspace --bins

bench: prerequisites .venv/bench
	$(CARGO) build --release -p fondaco-worker --bins
	$(CARGO) build --release -p fondaco-tests --example bench-driver
	$(VENV) tests/bench/bench.py

lint: prerequisites
	cargo fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

# Coverage-guided fuzzing; needs `cargo install cargo-fuzz` and a nightly toolchain. The same targets run over
# seeded inputs in `make test`.
fuzz:
	@cargo fuzz --version >/dev/null 2>&1 || { echo "fuzzing needs: rustup toolchain install nightly && cargo install cargo-fuzz" >&2; exit 1; }
	cd tests/fuzz && cargo +nightly fuzz run program -- -max_total_time=60
	cd tests/fuzz && cargo +nightly fuzz run block -- -max_total_time=60

prerequisites:
	@.ci/prerequisites

# The Python side of tests and examples, at pinned versions.
$(VENV): examples/requirements.txt
	@.ci/prerequisites
	python3 -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check -r examples/requirements.txt
	@touch $(VENV)

.venv/bench: $(VENV) tests/bench/requirements.txt
	.venv/bin/pip install --quiet --disable-pip-version-check -r tests/bench/requirements.txt
	@touch .venv/bench
