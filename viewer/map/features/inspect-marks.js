/** What the maps show of what is looked into: the line of the profile, the place pointed at, and where the cube is cut. */
import { alongTheEarth } from "../../areas/shapes/earth.js";
import { inspected, profileLine } from "../../base/state.js";
import { text } from "../../base/text.js";
import { cutAt, cutShares } from "../../inspect/cube-cut.js";
import { cube, marked } from "../../inspect/marks.js";
import { CircleMarker, DivIcon, LayerGroup, Marker, Polyline } from "../../vendor/leaflet.js";
import { computed, effect } from "../../vendor/signals-core.js";
import { maps } from "../map.js";

/** @typedef {import("../../vendor/leaflet.js").Map} LeafletMap */

const LINE = { interactive: false, pane: "outlines", weight: 2, color: "var(--accent-on-map)" };
const CASING = { ...LINE, weight: 5, color: "#fff", opacity: 0.9 };
/** Of the cube, that an arrow key moves a cut by. */
const STEP = 0.01;
/** @type {Record<string, [x: number, y: number]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

export function startInspectMarks() {
	effect(() => {
		const stops = maps.value.flatMap((map) => [drawLine(map), drawMark(map), drawCuts(map)]);
		return () => {
			for (const stop of stops) stop();
		};
	});
}

/** @param {LeafletMap} map */
function drawLine(map) {
	return effect(() => {
		const line = inspected.value === "profile" ? profileLine.value : null;
		if (!line) return;
		const latLngs = alongTheEarth(line.map(({ lon, lat }) => [lon, lat])).map(
			([lng, lat]) => /** @type {[number, number]} */ ([lat, lng]),
		);
		const group = new LayerGroup([new Polyline(latLngs, CASING), new Polyline(latLngs, LINE)]).addTo(map);
		return () => group.remove();
	});
}

/** @param {LeafletMap} map */
function drawMark(map) {
	return effect(() => {
		const place = marked.value;
		if (!place) return;
		const look = { ...LINE, radius: 6, fill: true, fillColor: "#fff", fillOpacity: 1 };
		const mark = new CircleMarker([place.lat, place.lon], look).addTo(map);
		return () => mark.remove();
	});
}

/** Two lines, and a handle where they cut that pointer and arrow keys move. @param {LeafletMap} map */
function drawCuts(map) {
	const isShown = computed(() => cube.value !== null);
	return effect(() => {
		if (!isShown.value) return;
		const icon = new DivIcon({ className: "cut-handle", iconSize: [28, 28] });
		const handle = new Marker([0, 0], { icon, draggable: true, keyboard: true, title: text("inspect.cut") }).addTo(map);
		const lines = new Polyline([], { ...LINE, dashArray: "6 4" }).addTo(map);
		const casing = new Polyline([], CASING).addTo(map);
		lines.bringToFront();
		handle.on("drag", () => {
			const [now, { lng, lat }] = [cube.peek(), handle.getLatLng()];
			if (!now) return;
			const { west, south, east, north } = now;
			cutAt({ lon: (lng - west) / (east - west), lat: (lat - south) / (north - south) });
		});
		handle.getElement()?.addEventListener("keydown", (event) => {
			const [shares, arrow] = [cutShares(), ARROWS[event.key]];
			if (!arrow) return;
			event.preventDefault();
			event.stopPropagation();
			cutAt({ lon: shares.lon + arrow[0] * STEP, lat: shares.lat + arrow[1] * STEP });
		});
		const stop = effect(() => {
			const now = cube.value;
			if (!now) return;
			const { west, south, east, north, lon, lat } = now;
			handle.setLatLng([lat, lon]);
			for (const each of [lines, casing])
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
		return () => {
			stop();
			for (const layer of [handle, lines, casing]) layer.remove();
		};
	});
}
