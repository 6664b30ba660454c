/**
 * The map of notebooks (chronotile_client.Map): a layer on a Leaflet map with a slider over its dates, in the form of
 * anywidget. Python and the browser share its model. Python alone changes `server`, `layer`, `has_token`, `layer_style` and `height`.
 *
 * @typedef {{
 *   server: string, layer: string, has_token: boolean, layer_style: string, height: number, date: string, dates: string[],
 *   center: number[] | null, zoom: number | null, bounds: number[] | null, point: number[] | null,
 *   value: number | null, error: string,
 * }} State `center`, `bounds` and `point` are in degrees, x first
 * @typedef {{
 *   get: <Name extends keyof State>(name: Name) => State[Name],
 *   set: <Name extends keyof State>(name: Name, value: State[Name]) => void,
 *   save_changes: () => void, on: (event: string, run: (message: any) => void) => void, off: (event: string, run: (message: any) => void) => void,
 *   send: (message: unknown) => void,
 * }} Model
 */
import { CircleMarker, Control, GridLayer, Map as LeafletMap } from "../../../viewer/vendor/leaflet.js";
import { joinSlider, openLayer, sampleValue } from "../../js/src/index.js";
import { makeCubeLayer } from "../../js/src/leaflet.js";
import "../../js/src/legend.js";

/** Tolerance of coordinates, which are rounded between Python and the browser. */
const SAME_DEGREES = 1e-9;

/** @param {number[] | null} one @param {number[] | null} other */
const isSame = (one, other) =>
	one?.length === other?.length && (one ?? []).every((each, at) => Math.abs(each - (other ?? [])[at]) < SAME_DEGREES);

/** Listens to changes of the model's members until `stopped`. @param {Model} model @param {AbortSignal} stopped @param {string[]} names @param {() => void} run */
function follow(model, stopped, names, run) {
	const events = names.map((name) => `change:${name}`);
	for (const event of events) model.on(event, run);
	stopped.addEventListener("abort", () => {
		for (const event of events) model.off(event, run);
	});
}

/** @param {Model} model @param {Partial<State>} changed */
function write(model, changed) {
	for (const [name, value] of Object.entries(changed)) model.set(/** @type {any} */ (name), /** @type {any} */ (value));
	model.save_changes();
}

/** Joins the view of the map with `center`, `zoom` and `bounds`. @param {LeafletMap} map @param {Model} model @param {AbortSignal} stopped */
function followView(map, model, stopped) {
	const centre = () => [map.getCenter().lng, map.getCenter().lat];
	const bounds = () => {
		const box = map.getBounds();
		return [box.getWest(), box.getSouth(), box.getEast(), box.getNorth()];
	};
	const tell = () => write(model, { center: centre(), zoom: map.getZoom(), bounds: bounds() });
	map.on("moveend", tell);
	follow(model, stopped, ["center", "zoom"], () => {
		const [lon, lat] = model.get("center") ?? centre();
		const zoom = model.get("zoom") ?? map.getZoom();
		if (zoom === map.getZoom() && isSame([lon, lat], centre())) return;
		map.setView([lat, lon], zoom, { animate: false });
	});
	follow(model, stopped, ["bounds"], () => {
		const wanted = model.get("bounds");
		if (wanted && !isSame(wanted, bounds())) fitBox(map, wanted);
	});
	tell();
}

/** @param {LeafletMap} map @param {number[]} box west, south, east, north */
function fitBox(map, [west, south, east, north]) {
	map.fitBounds(
		[
			[south, west],
			[north, east],
		],
		{ animate: false },
	);
}

/** Joins the clicked point with `point`, and its value with `value`. @param {LeafletMap} map @param {Model} model @param {AbortSignal} stopped @param {(place: { lon: number, lat: number }) => number | null} valueAt */
function followPoint(map, model, stopped, valueAt) {
	const marker = new CircleMarker([0, 0], {
		radius: 5,
		color: "#18231f",
		weight: 2,
		fillColor: "#ffffff",
		fillOpacity: 1,
	});
	const tell = () => {
		const point = model.get("point");
		const value = point && valueAt({ lon: point[0], lat: point[1] });
		if (value !== model.get("value")) write(model, { value });
	};
	const show = () => {
		const point = model.get("point");
		if (point) marker.setLatLng([point[1], point[0]]).addTo(map);
		else marker.remove();
		tell();
	};
	map.on("click", ({ latlng }) => write(model, { point: [latlng.lng, latlng.lat] }));
	follow(model, stopped, ["point"], show);
	show();
	return tell;
}

/**
 * Requests values of cells from the server, one at a time, because the map shows means of several cells. A value is null
 * until it arrives and `arrived` is called.
 * @param {import("../../js/src/layer.js").Layer} layer @param {AbortSignal} stopped @param {() => void} arrived
 * @returns {(place: { lon: number, lat: number }, index: number) => number | null}
 */
function makeCellValues(layer, stopped, arrived) {
	let [key, value, asking] = ["", /** @type {number | null} */ (null), new AbortController()];
	return (place, index) => {
		const wanted = [place.lon, place.lat, index].join();
		if (wanted === key) return value;
		[key, value] = [wanted, null];
		asking.abort();
		asking = new AbortController();
		const signal = AbortSignal.any([stopped, asking.signal]);
		layer.series(place, { datetime: layer.times[index] ?? "", signal }).then(
			({ values }) => {
				if (wanted !== key) return;
				[value] = values;
				arrived();
			},
			() => {},
		);
		return null;
	};
}

/** Requests a token from Python by a message, since the state of the model is saved with the notebook. @param {Model} model @returns {(refused?: string) => Promise<string>} */
const tokenFrom =
	(model) =>
	(refused = "") =>
		new Promise((resolve, reject) => {
			const take = (/** @type {{ token?: string }} */ { token }) => {
				if (token === undefined) return;
				model.off("msg:custom", take);
				if (token) resolve(token);
				else reject(new Error("the function of token has failed"));
			};
			model.on("msg:custom", take);
			model.send({ refused });
		});

/** @param {Model} model @param {HTMLElement} el @param {AbortSignal} stopped */
async function start(model, el, stopped) {
	const layer = await openLayer(model.get("server"), model.get("layer"), {
		style: model.get("layer_style"),
		signal: stopped,
		token: model.get("has_token") ? tokenFrom(model) : undefined,
	});
	const frame = document.createElement("div");
	frame.style.height = `${model.get("height")}px`;
	const [label, when, slider] = [
		document.createElement("label"),
		document.createElement("output"),
		document.createElement("input"),
	];
	slider.type = "range";
	slider.setAttribute("aria-label", "Date");
	label.append(when, slider);
	label.hidden = layer.times.length < 2;
	el.replaceChildren(frame, label);

	const map = new LeafletMap(frame);
	const [center, zoom] = [model.get("center"), model.get("zoom")];
	if (center) map.setView([center[1], center[0]], zoom ?? layer.minZoom);
	else fitBox(map, model.get("bounds") ?? layer.bbox);
	if (zoom !== null && !center) map.setZoom(zoom, { animate: false });
	let tellValue = () => {};
	const cubes = makeCubeLayer({ GridLayer }, { ...layer.cubes, onPaint: () => tellValue() }).addTo(map);
	addLegend(map, layer);
	const onDate = (/** @type {string} */ date) => {
		when.textContent = date.slice(0, 10);
		if (date !== model.get("date")) write(model, { date });
		tellValue();
	};
	const dates = joinSlider(slider, layer, cubes, onDate, model.get("date"));
	const showDate = () => {
		if (layer.times[Number(slider.value)] === model.get("date")) return;
		dates.show(model.get("date"));
		// A text that is not a date changes nothing, and is sent back unchanged.
		const shown = layer.times[Number(slider.value)] ?? "";
		if (shown !== model.get("date")) write(model, { date: shown });
	};
	follow(model, stopped, ["date"], showDate);
	followView(map, model, stopped);
	const cellValue = makeCellValues(layer, stopped, () => tellValue());
	tellValue = followPoint(map, model, stopped, (place) => {
		const index = Number(slider.value);
		const shown = sampleValue(cubes.sample(place, index));
		return shown?.isApproximate ? cellValue(place, index) : (shown?.value ?? null);
	});
	write(model, { dates: layer.times, error: "" });
	const watch = new ResizeObserver(() => map.invalidateSize({ animate: false }));
	watch.observe(frame);
	stopped.addEventListener("abort", () => {
		watch.disconnect();
		dates.stop();
		cubes.painter.close();
		map.remove();
	});
}

/** @param {LeafletMap} map @param {import("../../js/src/layer.js").Layer} layer */
function addLegend(map, layer) {
	const control = new Control({ position: "bottomleft" });
	control.onAdd = () => {
		const legend = /** @type {import("../../js/src/legend.js").ChronotileLegend} */ (
			document.createElement("chronotile-legend")
		);
		legend.source = layer;
		return legend;
	};
	control.addTo(map);
}

/** @param {{ model: Model, el: HTMLElement }} view @returns {() => void} ends it */
function render({ model, el }) {
	el.classList.add("chronotile-map");
	let stopping = new AbortController();
	const restart = () => {
		stopping.abort();
		stopping = new AbortController();
		const { signal } = stopping;
		start(model, el, signal).catch((error) => {
			if (signal.aborted) return;
			el.textContent = error.message;
			write(model, { error: error.message });
		});
	};
	const all = new AbortController();
	follow(model, all.signal, ["server", "layer", "layer_style", "height"], restart);
	restart();
	return () => {
		all.abort();
		stopping.abort();
	};
}

export default { render };
