# SPDX-License-Identifier: Apache-2.0
"""The tables of an evaluation, as text that also reads well in a Markdown block."""
import statistics
import subprocess

import lib

# figure: (heading, kind)
MORE = {"cpu us/op": "CPU us/op", "cpu": "CPU s", "exits": "exits/op", "p50": "p50 ms", "p99": "p99 ms", "loss": "lost %"}


def caption(args, seconds):
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8")
                  if line.startswith("model name")), "unknown processor")
    sgx = "SGX on the hardware" if lib.HARDWARE else (
        f"SGX emulated, {args.sgx_cost} cycles a round trip; not in it: memory encryption, EPC paging")
    version = subprocess.run([args.rakis, "--version"], capture_output=True, text=True).stdout.strip()
    return (f"{model}, {lib.machine()}; {sgx}; {version}; medians of {args.rounds} rounds (sweeps: {args.sweep_rounds}) of "
            f"{args.seconds:g} s, files of {args.mb} MB; {seconds / 60:.0f} minutes")


def number(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def ratio(results, name, point, env, base, more):
    """How many times as fast as `base`; None if one is missing."""
    a, b = results.median(name, point, env), results.median(name, point, base)
    if not a or not b or env == base:
        return None
    return a / b if more else b / a


def mean(values):
    values = [v for v in values if v]
    return statistics.geometric_mean(values) if values else None


def table(results, name, what, unit, more, envs):
    rows = [["", f"{unit or 'value'}", "lowest", "highest", "x native", "x libos-sgx"]]
    kinds = [k for k in MORE if any(k in cell for p in results.figures[name].values() for cell in p.values())
             and not (k == "cpu" and unit != "s")]
    rows[0] += [MORE[k] for k in kinds]
    for point, cells in results.figures[name].items():
        rows.append([point])
        for env in (e for e in envs if e in cells):
            values = cells[env]["value"]
            rows.append([f"  {env}", *map(number, (statistics.median(values), min(values), max(values),
                         ratio(results, name, point, env, "native", more),
                         ratio(results, name, point, env, "libos-sgx", more))),
                         *(number(results.median(name, point, env, k)) for k in kinds)])
    widths = [max(len(r[i]) for r in rows if len(r) > i) for i in range(len(rows[0]))]
    lines = [what]
    for r in rows:
        lines.append((r[0].ljust(widths[0]) + "".join(c.rjust(w + 2) for c, w in zip(r[1:], widths[1:]))).rstrip())
    return "\n".join(lines) + "\n"


def means(results, known, six, envs, base):
    """By environment: by workload the geometric mean over its points, and their arithmetic mean."""
    out = {}
    for env in envs:
        each = {name: mean([ratio(results, name, p, env, base, known[name][2]) for p in results.figures[name]])
                for name in six if name in results.figures}
        out[env] = each, statistics.mean(v for v in each.values() if v) if any(each.values()) else None
    return out


def summary(results, known, six, envs):
    lines = []
    names = [n for n in six if n in results.figures]
    for base in ("native", "libos-sgx"):
        got = means(results, known, six, envs, base)
        if base not in envs or not names:
            continue
        lines.append(f"{f'speed, times {base}':22}" + "".join(f"{n:>11}" for n in names) + f"{'mean':>11}")
        for env in (e for e in envs if e != base):
            each, all_of = got[env]
            lines.append(f"  {env:20}" + "".join(f"{number(each[n]):>11}" for n in names) + f"{number(all_of):>11}")
        lines.append("")
    return "\n".join(lines)


def held(results, known, six, envs):
    """The figures to hold of the plan, as far as this run has them."""
    native, libos = (means(results, known, six, envs, base) for base in ("native", "libos-sgx"))
    rows = []

    def row(what, got, want, least=True):
        if got is not None:
            good = got >= want if least else got <= want
            rows.append(f"  {what:62}{'>=' if least else '<='} {want:<7g}{number(got):>8}  {'holds' if good else 'MISSED'}")

    sgx, direct = (native.get(e, ({}, None)) for e in ("rakis-sgx", "rakis-direct"))
    for name in ("iperf3", "memcached", "curl"):
        row(f"rakis-sgx / native, {name}", sgx[0].get(name), 1)
    row("rakis-sgx / native, redis", sgx[0].get("redis"), 0.9)
    for name in ("fstime", "mcrypt"):
        row(f"rakis-sgx / native, {name}", sgx[0].get(name), 0.95)
    row("rakis-sgx / libos-sgx, mean of the workloads", libos.get("rakis-sgx", ({}, None))[1], 4)
    for name in six:
        row(f"rakis-direct / native, {name}", direct[0].get(name), 1)
    for point in results.figures.get("redis", {}):
        row(f"rakis-sgx, exits a request, redis {point}", results.median("redis", point, "rakis-sgx", "exits"), 0.05, False)
    for env in ("rakis-direct", "rakis-sgx"):
        row(f"{env}, CPU of an idle redis-server, %", results.median("idle", "idle CPU, % of a processor", env), 1, False)
    row("rakis-direct, getppid, ns", results.median("calls", "getppid", "rakis-direct"), 60, False)
    row("rakis-direct, `true`, ms", results.median("start-up", "default size", "rakis-direct"), 30, False)
    row("rakis-sgx, `true`, 256 MB, ms", results.median("start-up", "256M", "rakis-sgx"), 400, False)
    memory = [results.median("idle", "resident, MB", e) for e in ("rakis-direct", "native")]
    if all(memory):
        row("rakis-direct, resident memory over native, MB", memory[0] - memory[1], 24, False)
    return "to hold\n" + "\n".join(rows) + "\n" if rows else ""


def tables(results, known, six, envs, text):
    parts = [text + "\n", summary(results, known, six, envs), held(results, known, six, envs)]
    parts += [table(results, name, *known[name], envs) for name in known if name in results.figures]
    return "\n".join(p for p in parts if p)
