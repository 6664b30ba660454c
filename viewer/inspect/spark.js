/** How values of a place go over the loaded year, as a small line. */
import { sideA } from "../base/state.js";
import { makeSvg, pathOf } from "../chart/series/figure.js";
import { cubesOf } from "../map/cubes.js";

/** @typedef {import("../base/permalink.js").Point} Point */

const SPARK = { width: 150, height: 30 };

/**
 * Draws the main layer's values at a point over the loaded year, with a dot at its date; returns null if they are not
 * loaded.
 * @param {Point} at
 */
export function sparkAt(at) {
	const cubes = cubesOf(sideA);
	const index = sideA.timeIndex.value;
	const window = index < 0 ? undefined : cubes?.source.windows[cubes.source.windowAt[index]];
	const found = window && window.count > 1 ? cubes?.seriesAt(at, [window]) : null;
	const values = found?.values ?? [];
	const valid = values.filter((value) => value !== null);
	if (!window || valid.length < 2) return null;
	const [low, high] = [Math.min(...valid), Math.max(...valid)];
	const xs = values.map((_, step) => 2 + (step / (values.length - 1)) * (SPARK.width - 4));
	// The line connects values across dates without one, because it has few points.
	const ys = values.map((value) =>
		value === null ? undefined : SPARK.height - 3 - ((value - low) / (high - low || 1)) * (SPARK.height - 6),
	);
	const now = index - window.first;
	const dot = typeof ys[now] === "number" ? [makeSvg("circle", { cx: xs[now], cy: ys[now], r: 2.5 })] : [];
	const path = makeSvg("path", { d: pathOf(xs, ys) });
	return makeSvg("svg", { class: "spark", "aria-hidden": "true", ...SPARK }, path, ...dot);
}
