/**
 * Marks of the inspection tools on the maps: the line of the profile, a point, and the cuts of the cube.
 */
import { alongTheEarth } from "../../areas/shapes/earth.js";
import { live } from "../../base/live.js";
import { inspected, profileLine } from "../../base/state.js";
import { text } from "../../base/text.js";
import { cutAt, cutShares } from "../../inspect/cube-cut.js";
import { cube, marked } from "../../inspect/marks.js";
import { CircleMarker, DivIcon, Marker, Polyline } from "../../vendor/leaflet.js";
import { computed } from "../../vendor/signals-core.js";
import { putOnMaps, toLatLngs } from "../map.js";

const LINE = { interactive: false, pane: "outlines", weight: 2, color: "var(--accent-on-map)" };
const CASING = { ...LINE, weight: 5, color: "#fff", opacity: 0.9 };
/** Fraction of the cube by which an arrow key moves a cut. */
const STEP = 0.01;
/** @type {Record<string, [x: number, y: number]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/** Whether the cube is shown, independent of its cuts. */
const isCut = computed(() => cube.value !== null);

export function startInspectMarks() {
	putOnMaps(() => drawLine((inspected.value === "profile" && profileLine.value) || []));
	putOnMaps(drawMark);
	putOnMaps(() => (isCut.value ? drawCuts() : []));
}

/** @param {import("../../base/permalink.js").Point[]} line */
function drawLine(line) {
	const latLngs = toLatLngs(alongTheEarth(line.map(({ lon, lat }) => [lon, lat])));
	return [new Polyline(latLngs, CASING), new Polyline(latLngs, LINE)];
}

function drawMark() {
	const place = marked.value;
	if (!place) return [];
	const look = { ...LINE, radius: 6, fill: true, fillColor: "#fff", fillOpacity: 1 };
	return [new CircleMarker([place.lat, place.lon], look)];
}

/** Draws two lines, and a handle at their intersection that pointer and arrow keys move. */
function drawCuts() {
	const icon = new DivIcon({ className: "cut-handle", iconSize: [28, 28] });
	const handle = new Marker([0, 0], { icon, draggable: true, keyboard: true, title: text("inspect.cut") });
	const lines = [new Polyline([], CASING), new Polyline([], { ...LINE, dashArray: "6 4" })];
	handle.on("drag", () => {
		const [now, { lng, lat }] = [cube.peek(), handle.getLatLng()];
		if (!now) return;
		const { west, south, east, north } = now;
		cutAt({ lon: (lng - west) / (east - west), lat: (lat - south) / (north - south) });
	});
	const move = (/** @type {KeyboardEvent} */ event) => {
		const [shares, arrow] = [cutShares(), ARROWS[event.key]];
		if (!arrow) return;
		event.preventDefault();
		event.stopPropagation();
		cutAt({ lon: shares.lon + arrow[0] * STEP, lat: shares.lat + arrow[1] * STEP });
	};
	handle.on("add", () => handle.getElement()?.addEventListener("keydown", move));
	live(() => {
		const now = cube.value;
		if (!now) return;
		const { west, south, east, north, lon, lat } = now;
		handle.setLatLng([lat, lon]);
		for (const each of lines)
			each.setLatLngs([
				[
					[lat, west],
					[lat, east],
				],
				[
					[south, lon],
					[north, lon],
				],
			]);
	});
	return [...lines, handle];
}
