/**
 * The colours of places: those of the layer, over a range that fits the current statistic; a diverging ramp for
 * anomalies.
 */
import { fetchLegend } from "../base/api.js";
import { differenceStyle, paintedStyle } from "../base/colours.js";
import { AS_STYLED, colouring, compareMode, layer, legend, style } from "../base/state.js";
import { text } from "../base/text.js";
import { titled } from "../base/units.js";
import { computed, effect, signal } from "../vendor/signals-core.js";
import { hasMeans, shownSet, statistic } from "./place-sets.js";

/** @typedef {import("../base/colours.js").PaintedStyle} PaintedStyle */

/** The ramp of the server for maps of differences. */
const RAMP = "difference";

const diverging = signal(/** @type {PaintedStyle | null} */ (null));

/** Null if places have no colour. @type {import("@preact/signals-core").ReadonlySignal<PaintedStyle | null>} */
export const placeStyle = computed(() => {
	// With both sides on one map, colours of the date of A would cover B as well.
	const isOfBoth = compareMode.value !== null && compareMode.value !== "side";
	if (!legend.value || !hasMeans.value || isOfBoth) return null;
	const own = paintedStyle(legend.value, colouring.value);
	if (statistic.value === "anomaly") return diverging.value && differenceStyle(own, diverging.value);
	const [low, high] = own.range;
	/** @type {Record<string, [number, number]>} */
	const ranges = { valid_share: [0, 1], std: [0, (high - low) / 2] };
	const range = ranges[statistic.value];
	return range ? paintedStyle(legend.value, { ...colouring.value, range, isLog: false }) : own;
});

/** The legend of colours that differ from the layer's; null if they are the same. */
export const placesKey = computed(() => {
	const [set, shown, what] = [shownSet.value, placeStyle.value, statistic.value];
	if (!set || !shown || !["anomaly", "std", "valid_share"].includes(what)) return null;
	const words = `${set.title}: ${text(`places.statistic.${what}`)}`;
	return {
		title: what === "valid_share" ? words : titled(words, layer.value?.units),
		style: shown,
		swatches: [],
		ends: null,
	};
});

/** Loads the colours of anomalies when they are first shown. */
export const startPlaceColours = () =>
	effect(() => {
		const of = layer.value;
		if (!of || !shownSet.value || statistic.value !== "anomaly" || !hasMeans.value) return;
		const stopping = new AbortController();
		diverging.value = null;
		fetchLegend(of, style.value, stopping.signal, RAMP).then(
			(found) => {
				diverging.value = paintedStyle(found, AS_STYLED);
			},
			// Places stay without colours, and have their values.
			() => {},
		);
		return () => stopping.abort();
	});
