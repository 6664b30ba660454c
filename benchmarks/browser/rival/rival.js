/**
 * Moves through time with classic tiles in their best case: one layer per date, all of them loaded and stacked beforehand,
 * so that moving needs no request.
 */
import { Map as LeafletMap, TileLayer } from "./leaflet.js";

const asked = new URLSearchParams(location.search);
const dates = (asked.get("dates") ?? "").split(",");
const frame = document.getElementById("map");
frame.style.width = "1024px";
frame.style.height = "768px";
document.body.style.margin = "0";
const map = new LeafletMap(frame, { zoomControl: false, fadeAnimation: false, zoomAnimation: false });

const layers = dates.map(
	(date, index) => new TileLayer(asked.get("tiles"), { date, opacity: index === 0 ? 1 : 0, keepBuffer: 0 }),
);

/** Resolves when all tiles of a layer are loaded. */
const whenLoaded = (layer) =>
	new Promise((resolve) => {
		layer.once("load", resolve);
		if (!map.hasLayer(layer)) layer.addTo(map);
	});

window.rival = {
	/** Moves to a place, with its first date. */
	async show({ lon, lat, zoom }) {
		map.setView([lat, lon], zoom, { animate: false });
		await whenLoaded(layers[0]);
	},
	/** Loads all other dates of the place. */
	loadAll: () => Promise.all(layers.slice(1).map(whenLoaded)),
	/** Shows one date per frame; returns the milliseconds between frames. */
	async moveThrough(rounds) {
		const gaps = [];
		let [shown, last] = [0, 0];
		for (let step = 0; step < rounds * layers.length; step++) {
			const now = await new Promise((resolve) => requestAnimationFrame(resolve));
			if (last) gaps.push(now - last);
			last = now;
			const next = step % layers.length;
			layers[shown].setOpacity(0);
			layers[next].setOpacity(1);
			shown = next;
		}
		return gaps;
	},
};
