/** What the maps show of what is looked into: the line of the profile, the place pointed at, and where the cube is cut. */
import { alongTheEarth } from "../../areas/shapes/earth.js";
import { inspected, profileLine } from "../../base/state.js";
import { text } from "../../base/text.js";
import { cube, marked } from "../../inspect/marks.js";
import { CircleMarker, DivIcon, LayerGroup, Marker, Polyline } from "../../vendor/leaflet.js";
import { computed, effect } from "../../vendor/signals-core.js";
import { maps } from "../map.js";

/** @typedef {import("../../vendor/leaflet.js").Map} LeafletMap */

const LINE = { interactive: false, pane: "outlines", weight: 2, color: "var(--accent-on-map)" };
const CASING = { ...LINE, weight: 5, color: "#fff", opacity: 0.9 };
/** Parts of the cube that an arrow key moves a cut by. */
const STEPS = 100;
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
		const frame = new Polyline([], { ...LINE, weight: 1 }).addTo(map);
		const moveTo = (/** @type {number} */ lon, /** @type {number} */ lat) => {
			const now = cube.peek();
			if (now)
				cube.value = {
					...now,
					lon: Math.max(now.west, Math.min(now.east, lon)),
					lat: Math.max(now.south, Math.min(now.north, lat)),
				};
		};
		handle.on("drag", () => moveTo(handle.getLatLng().lng, handle.getLatLng().lat));
		handle.getElement()?.addEventListener("keydown", (event) => {
			const [now, arrow] = [cube.peek(), ARROWS[event.key]];
			if (!now || !arrow) return;
			event.preventDefault();
			event.stopPropagation();
			moveTo(
				now.lon + (arrow[0] * (now.east - now.west)) / STEPS,
				now.lat + (arrow[1] * (now.north - now.south)) / STEPS,
			);
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
			frame.setLatLngs([
				[south, west],
				[north, west],
				[north, east],
				[south, east],
				[south, west],
			]);
		});
		return () => {
			stop();
			for (const layer of [handle, lines, casing, frame]) layer.remove();
		};
	});
}
