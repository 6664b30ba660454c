/**
 * The bar over the map while the user draws, measures or edits: the next step, the size, undo and redo, and a field for
 * coordinates instead of clicks.
 *
 * @typedef {import("./shapes/drafts.js").Measures} Measures
 * @typedef {import("./draft-steps.js").Draft} Draft
 * @typedef {import("../base/text.js").TextKey} TextKey
 */
import { make, makeIconButton, makeOpener, makeWordButton } from "../base/elements.js";
import { announceOutcome, moveMap, view } from "../base/state.js";
import { text } from "../base/text.js";
import { parseNumber } from "../base/value-scale.js";
import { stop } from "../shell/sheet.js";
import { computed, effect } from "../vendor/signals-core.js";
import {
	cancel,
	change,
	cursor,
	draft,
	finish,
	isByKeyboard,
	isTooFine,
	redo,
	setCorner,
	undo,
} from "./draft-steps.js";
import { canFinish, isLine, measuresOf, measuresOfGeometry, radiusEnd } from "./shapes/drafts.js";
import { closeRing, nearestTurn, selfCrossing } from "./shapes/geometry.js";
import { areaText, lengthText, placeText } from "./size-labels.js";

/** With more vertices, self-intersections are reported at the end only. */
const MAX_LOOKED_THROUGH = 1000;

/** @param {HTMLElement} frame of the map */
export function startDrawBar(frame) {
	const hint = make("p", { class: "draw-hint" });
	const size = make("p", { class: "draw-size", title: text("draw.ellipsoid") });
	const warning = make("p", { class: "draw-warning" });
	/** Runs an action that closes the bar; the focus moves to the map, where the drawing is. @param {() => void} act */
	const leave = (act) => () => {
		act();
		if (!isOpen.peek()) document.getElementById("map")?.focus();
	};
	const back = makeIconButton("undo", text("action.undo"), undo);
	const forth = makeIconButton("redo", text("action.redo"), redo);
	const end = makeWordButton("check", text("action.finish"), leave(finish), { class: "primary" });
	const away = makeWordButton("close", text("action.cancel"), leave(cancel), { class: "quiet" });
	const typing = makeTyping();
	const words = make("div", { class: "draw-words" }, hint, size, warning);
	const buttons = make("div", { class: "draw-buttons" }, back, forth, typing.toggle, away, end);
	const attributes = { class: "draw-bar", "aria-label": text("draw.title") };
	const bar = make("section", attributes, words, buttons, typing.form);
	frame.append(bar);
	const isOpen = computed(() => draft.value !== null || change.value !== null);
	effect(() => {
		bar.hidden = !isOpen.value;
		frame.toggleAttribute("data-drawing", isOpen.value);
		// On phones the map has to have room.
		if (isOpen.value) stop.value = "low";
		else typing.close();
	});
	effect(() => {
		const [now, changing] = [draft.value, change.value];
		const steps = now?.corners ?? changing?.geometry;
		const told = now ? wordsOfDraft(now) : changing && wordsOfChange(changing.geometry.now);
		if (!steps || !told) return;
		back.disabled = steps.past.length === 0;
		forth.disabled = steps.future.length === 0;
		typing.fit(now);
		away.lastElementChild?.replaceChildren(text(now?.tool === "measure" ? "action.close" : "action.cancel"));
		hint.textContent = text(told.hint);
		end.hidden = told.endsAlone;
		end.disabled = !told.hasEnough;
		// The size of a self-intersecting outline has no meaning.
		size.textContent = told.crosses ? "" : told.size;
		warning.textContent = told.crosses ? text("areas.crosses") : "";
	});
	effect(announce);
	document.addEventListener("keydown", (event) => {
		if (isOpen.peek()) onKey(event);
	});
}

/** @param {KeyboardEvent} event */
function onKey(event) {
	const { target, key } = event;
	const isElement = target instanceof Element;
	if (event.defaultPrevented || (isElement && target.closest("dialog"))) return;
	const isCommand = event.ctrlKey || event.metaKey;
	if (key === "Escape") cancel();
	else if (isElement && target.closest("input, select, textarea")) return;
	else if (key === "Enter" && isElement && target.closest(".area-handle")) finish();
	else if (isCommand && key.toLowerCase() === "z") event.shiftKey ? redo() : undo();
	else if (isCommand && key.toLowerCase() === "y") redo();
	else return;
	event.preventDefault();
}

/** Returns the text of the next step. @param {Draft} now @param {boolean} byKeyboard @returns {TextKey} */
function hintOf({ tool, corners: { now: corners }, isDone }, byKeyboard) {
	if (isDone) return "draw.hint.measured";
	if (byKeyboard) return canFinish(tool, corners) ? "draw.hint.keysEnd" : "draw.hint.keys";
	if (tool === "polygon") return corners.length > 2 ? "draw.hint.polygonEnd" : "draw.hint.polygon";
	const isFirst = corners.length === 0;
	if (tool === "rectangle") return isFirst ? "draw.hint.rectangle" : "draw.hint.rectangleEnd";
	if (tool === "circle") return isFirst ? "draw.hint.circle" : "draw.hint.circleEnd";
	if (isLine(tool)) return isFirst ? "draw.hint.measure" : "draw.hint.measureEnd";
	return "draw.hint.point";
}

/** Returns length and area, as far as defined. @param {Measures} measures @param {boolean} isLine */
function measuresText({ length, area, radius }, isLine) {
	const parts = [
		isLine && length > 0 ? text("draw.length", { length: lengthText(length) }) : "",
		radius > 0 ? text("draw.radius", { radius: lengthText(radius) }) : "",
		area > 0 ? text(isLine ? "draw.enclosed" : "draw.area", { area: areaText(area) }) : "",
		!isLine && radius === 0 && area > 0 ? text("draw.perimeter", { length: lengthText(length) }) : "",
	];
	return parts.filter((part) => part !== "").join(" · ");
}

/**
 * @typedef {{ hint: TextKey, size: string, crosses: boolean, endsAlone: boolean, hasEnough: boolean }} Words
 *   `endsAlone` without being finished
 */

/** @param {Draft} now @returns {Words} */
function wordsOfDraft(now) {
	const { tool, isDone } = now;
	const corners = now.corners.now;
	const at = cursor.value;
	const all = at && corners.length > 0 && !isDone ? [...corners, nearestTurn(at, corners.at(-1))] : corners;
	const isLooked = tool === "polygon" && all.length > 3 && all.length < MAX_LOOKED_THROUGH;
	return {
		hint: hintOf(now, isByKeyboard.value),
		size: measuresText(measuresOf(tool, all), isLine(tool)),
		crosses: isLooked && selfCrossing({ type: "Polygon", coordinates: [closeRing(all)] }) !== null,
		endsAlone: isDone || ["point", "rectangle", "circle"].includes(tool),
		hasEnough: canFinish(tool, corners),
	};
}

/** @param {import("../base/state.js").Geometry} geometry @returns {Words} */
function wordsOfChange(geometry) {
	const isPoint = geometry.type === "Point";
	return {
		hint: isTooFine.value ? "draw.hint.zoomIn" : isPoint ? "draw.hint.movePoint" : "draw.hint.change",
		size: isPoint ? placeText(geometry.coordinates) : measuresText(measuresOfGeometry(geometry), false),
		crosses: selfCrossing(geometry) !== null,
		endsAlone: false,
		hasEnough: true,
	};
}

/** Announces the last step to screen readers. */
function announce() {
	const { tool = "point", corners } = draft.value ?? {};
	const last = corners?.now.at(-1);
	if (!corners || !last) return;
	const size = measuresText(measuresOf(tool, corners.now), isLine(tool));
	announceOutcome(text("draw.spoken", { number: corners.now.length, place: placeText(last), size }));
}

/** Fields for the next corner; for the edge of a circle its radius. */
function makeTyping() {
	const latitude = makeField(text("draw.latitude"), "51.2194");
	const longitude = makeField(text("draw.longitude"), "4.4025");
	const radius = makeField(text("draw.radiusField"), "500");
	const all = [latitude, longitude, radius];
	const fault = make("p", { class: "draw-warning", role: "alert" });
	const onsubmit = (/** @type {SubmitEvent} */ event) => {
		event.preventDefault();
		take();
	};
	const form = make(
		"form",
		{ class: "draw-typing", novalidate: true, onsubmit },
		...all.map(({ field }) => field),
		make("button", { type: "submit" }, text("draw.set")),
		fault,
	);
	const goToFirst = () => (radius.field.hidden ? latitude : radius).input.focus();
	const { button: toggle, open } = makeOpener("pin", text("draw.type"), form, goToFirst);
	const empty = () => {
		for (const { input } of all) input.value = "";
	};
	const close = () => {
		open(false);
		empty();
		fault.textContent = "";
	};
	/** @param {Draft | null} now null while an area is changed */
	const fit = (now) => {
		toggle.hidden = now === null;
		if (now === null) open(false);
		radius.field.hidden = now?.tool !== "circle" || now.corners.now.length !== 1;
		latitude.field.hidden = longitude.field.hidden = !radius.field.hidden;
	};
	const take = () => {
		const [lat, lon, metres] = all.map(({ input }) => parseNumber(input.value) ?? Number.NaN);
		const [centre] = radius.field.hidden ? [] : (draft.peek()?.corners.now ?? []);
		const isGood = centre ? metres > 0 && metres < 5e6 : Math.abs(lat) <= 90 && Math.abs(lon) <= 180;
		fault.textContent = isGood ? "" : text(centre ? "draw.badRadius" : "draw.badPlace");
		if (!isGood) return;
		setCorner(centre ? radiusEnd(centre, metres) : [lon, lat]);
		if (!centre) showPlace(lon, lat);
		empty();
		if (!form.hidden) goToFirst();
	};
	return { toggle, form, close, fit };
}

/** Moves the map so that a typed place is in sight. @param {number} lon @param {number} lat */
function showPlace(lon, lat) {
	const now = view.peek();
	if (!now) return;
	const [west, south, east, north] = now.bbox;
	const isInside = lat > south && lat < north && (west < east ? lon > west && lon < east : lon > west || lon < east);
	if (!isInside) moveMap({ view: { lon, lat, zoom: now.zoom } });
}

/** @param {string} label @param {string} example */
function makeField(label, example) {
	const input = make("input", { type: "text", inputmode: "decimal", autocomplete: "off", placeholder: example });
	return { input, field: make("label", { class: "draw-field" }, make("span", {}, label), input) };
}
