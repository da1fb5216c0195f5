# SPDX-License-Identifier: Apache-2.0
# A thin door to Meson; each target installs the packages that it lacks (tools/packages.txt).

BUILD ?= build

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet

$(BUILD)/build.ninja:
	@tools/setup build
	@meson setup $(BUILD) . >/dev/null

# The main job: redis-server under RAKIS and natively, and the ratio.
run: all
	@tools/setup run
	@bench/redis $(BUILD)/rakis --rounds 3 --load 50
	@echo 'Try a program of your own:  $(BUILD)/rakis run [--stats] [--trace] PROGRAM [ARGUMENT...]'

# Everything that can be checked on this machine.
check: all
	@tools/setup check
	@tests/check --build $(BUILD)

# What a person runs after each edit: under a minute.
check-quick: all
	@tests/check --build $(BUILD) --quick

# Every proof, and every proof of code that was broken on purpose.
verify: all
	@tools/setup check
	@verify/proofs/run
	@verify/proofs/run --mutations
	@verify/models/run

# Six workloads in five environments, and the sweeps: under an hour.
bench: all
	@tools/setup bench
	@bench/rakis-bench --rakis $(BUILD)/rakis --output $(BUILD)/bench-results

# The six workloads, in three short rounds: under five minutes.
bench-quick: all
	@tools/setup bench
	@bench/rakis-bench --rakis $(BUILD)/rakis --output $(BUILD)/bench-results --rounds 3 --sweep-rounds 0 --seconds 1 --mb 128

# PREFIX (default /usr/local) is built in: the command finds the image there. DESTDIR is not.
install: all
	@$(if $(PREFIX),meson configure $(BUILD) -Dprefix=$(PREFIX) && ninja -C $(BUILD) --quiet)
	@meson install -C $(BUILD) --no-rebuild

# A Debian package in $(BUILD)/deb.
deb:
	@tools/setup build deb
	@tools/make-deb $(BUILD)/deb

clean:
	@rm -rf $(BUILD)

.PHONY: all run check check-quick verify bench bench-quick install deb clean
