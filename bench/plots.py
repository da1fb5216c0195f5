# SPDX-License-Identifier: Apache-2.0
"""The plots of an evaluation, by gnuplot, as SVG and PNG."""
import re
import shutil
import statistics
import subprocess
import textwrap

import report

COLOURS = {"native": "#808080", "libos-direct": "#9ecae1", "rakis-direct": "#2171b5", "libos-sgx": "#fdae6b",
           "rakis-sgx": "#d94801"}
SIZES = {"": 1, "B": 1, "KB": 1 << 10, "MB": 1 << 20, "M": 1, "G": 1 << 10}


def gnuplot(folder, name, script, size):
    done = 0
    for kind, terminal in (("svg", f"svg size {size} font 'Helvetica,12' background 'white'"),
                           ("png", f"pngcairo size {size} font 'Helvetica,10'")):
        text = f"set terminal {terminal}\nset output '{folder}/{name}.{kind}'\n{script}"
        done += not subprocess.run(["gnuplot"], input=text, text=True).returncode
    return done


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def titled(text, caption):
    lines = [text, *textwrap.wrap(caption, 120)]
    return 'set title "' + "\\n".join(line.replace('"', "") for line in lines) + '" font ",9"\n'


def normalised(results, known, six, envs, caption, folder):
    """Speed over native: a group for each workload and point, a bar for each environment."""
    rows, labels = {env: [] for env in envs}, []
    for name in (n for n in six if n in results.figures):
        more = known[name][2]
        for point, cells in results.figures[name].items():
            base = results.median(name, point, "native")
            if not base:
                continue
            labels.append(f"{name} {point}" if len(results.figures[name]) > 1 else f"{name}, {point}")
            for env in envs:
                each = [v / base if more else base / v for v in cells.get(env, {}).get("value", [])]
                rows[env].append((statistics.median(each), min(each), max(each)) if each else None)
    if not labels:
        return 0
    script = titled("Speed, native = 1 (bars: lowest and highest round)", caption)
    script += ("set style data histograms\nset style histogram errorbars gap 1 lw 1\nset style fill solid\nset yrange [0:*]\n"
               "set grid ytics\nset xtics rotate by -25\nset key below horizontal\nset arrow from graph 0,first 1 to "
               "graph 1,first 1 nohead dt 2 front\nset bmargin 8\nset bars 0.5\n")
    for i, env in enumerate(envs):
        script += f"$d{i} << EOD\n" + "".join(
            f'"{label}" {" ".join(map(str, row)) if row else "NaN NaN NaN"}\n' for label, row in zip(labels, rows[env])) + "EOD\n"
    script += "plot " + ", ".join(f"$d{i} using 2:3:4:xtic(1) title {quoted(env)} lc rgb '{COLOURS.get(env, '#31a354')}'"
                                  for i, env in enumerate(envs)) + "\n"
    return gnuplot(folder, "normalised", script, "1100,560")


def position(point):
    """The number in the name of a point: 4 KB -> 4096."""
    found = re.search(r"(\d[\d,]*) ?(KB|MB|B|M|G|)\b", point)
    return int(found.group(1).replace(",", "")) * SIZES[found.group(2)] if found else None


def sweep(results, known, name, envs, caption, folder):
    """A curve for each environment; one panel for each series (read, write, ...)."""
    what, unit, _ = known[name]
    series = {}
    for point in results.figures[name]:
        if position(point) is not None:
            series.setdefault(re.sub(r"\d[\d,]* ?(KB|MB|B|M|G|clients?|threads?|)", "", point).strip(" ,"), []).append(point)
    if not series:
        return 0
    script = f"set multiplot layout 1,{len(series)} title \"{what}\\n{textwrap.shorten(caption, 150)}\" font ',9'\n"
    script += "set logscale x\nset yrange [0:*]\nset grid\nset key below\n"
    for number, (label, points) in enumerate(series.items()):
        script += f"set title {quoted(label)}\nset ylabel {quoted(unit)}\n"
        script += "set xtics (" + ", ".join(
            f"{quoted(re.search(r'[0-9][0-9,]* ?(KB|MB|B|M|G|)', p).group(0))} {position(p)}" for p in points) + ") rotate by -30\n"
        places = [position(p) for p in points]
        script += f"set xrange [{min(places) / 1.4}:{max(places) * 1.4}]\n"
        curves = []
        for i, env in enumerate(envs):
            rows = [(position(p), results.figures[name][p][env]["value"]) for p in points if env in results.figures[name][p]]
            if rows:
                script += f"$s{number}_{i} << EOD\n" + "".join(
                    f"{x} {statistics.median(v)} {min(v)} {max(v)}\n" for x, v in rows) + "EOD\n"
                curves.append(f"$s{number}_{i} using 1:2:3:4 with yerrorlines title {quoted(env)} pt 7 ps 0.5 lw 1.5 lc rgb "
                              f"'{COLOURS.get(env, '#31a354')}'")
        script += "plot " + ", ".join(curves) + "\n"
    script += "unset multiplot\n"
    return gnuplot(folder, name.replace(" ", "-"), script, f"{max(560, 360 * len(series))},440")


def draw(results, known, six, envs, caption, folder):
    """How many files were made."""
    if not shutil.which("gnuplot"):
        print("rakis-bench: no plots: gnuplot is not installed")
        return 0
    return normalised(results, known, six, envs, caption, folder) + sum(
        sweep(results, known, name, envs, caption, folder) for name in results.figures
        if name not in six and len(results.figures[name]) > 1 and known[name][1])
