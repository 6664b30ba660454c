/**
 * What stands over the map while something is drawn, measured or changed: what to do next, how large it is, steps back
 * and forth, and coordinates that are typed in place of a click.
 *
 * @typedef {import("./shapes/drafts.js").Measures} Measures
 * @typedef {import("./draft-steps.js").Draft} Draft
 * @typedef {import("../base/text.js").TextKey} TextKey
 */
import { make, makeIconButton, makeWordButton } from "../base/elements.js";
import { destination, outcome, view } from "../base/state.js";
import { text } from "../base/text.js";
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

/** With more corners, whether the outline crosses itself is told when it is done. */
const MAX_LOOKED_THROUGH = 1000;

/** @param {HTMLElement} frame of the map */
export function startDrawBar(frame) {
	const bar = new DrawBar(frame);
	const isOpen = computed(() => draft.value !== null || change.value !== null);
	effect(() => bar.show(isOpen.value));
	effect(() => bar.tell());
	effect(() => bar.announce());
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

/** What to do next. @param {Draft} now @param {boolean} byKeyboard @returns {TextKey} */
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

/** How long and large, as far as it can be said. @param {Measures} measures @param {boolean} isLine */
function measuresText({ length, area, radius }, isLine) {
	const parts = [
		isLine && length > 0 ? text("draw.length", { length: lengthText(length) }) : "",
		radius > 0 ? text("draw.radius", { radius: lengthText(radius) }) : "",
		area > 0 ? text(isLine ? "draw.enclosed" : "draw.area", { area: areaText(area) }) : "",
		!isLine && radius === 0 && area > 0 ? text("draw.perimeter", { length: lengthText(length) }) : "",
	];
	return parts.filter((part) => part !== "").join(" · ");
}

class DrawBar {
	/** @param {HTMLElement} frame */
	constructor(frame) {
		this.hint = make("p", { class: "draw-hint" });
		this.size = make("p", { class: "draw-size", title: text("draw.ellipsoid") });
		this.warning = make("p", { class: "draw-warning" });
		this.undo = makeIconButton("undo", text("action.undo"), undo);
		this.redo = makeIconButton("redo", text("action.redo"), redo);
		this.finish = makeWordButton("check", text("action.finish"), () => this.leave(finish), { class: "primary" });
		this.cancel = makeWordButton("close", text("action.cancel"), () => this.leave(cancel), { class: "quiet" });
		this.typing = new Typing();
		this.element = make(
			"section",
			{ class: "draw-bar", "aria-label": text("draw.title") },
			make("div", { class: "draw-words" }, this.hint, this.size, this.warning),
			make("div", { class: "draw-buttons" }, this.undo, this.redo, this.typing.toggle, this.cancel, this.finish),
			this.typing.form,
		);
		this.element.hidden = true;
		frame.append(this.element);
	}

	/** @param {boolean} isOpen */
	show(isOpen) {
		this.element.hidden = !isOpen;
		// On phones the map has to have room.
		if (isOpen) stop.value = "low";
		else this.typing.close();
	}

	/** Does what makes the bar go away; the focus goes to the map, where what was drawn is. @param {() => void} act */
	leave(act) {
		act();
		if (!draft.peek() && !change.peek()) document.getElementById("map")?.focus();
	}

	tell() {
		const [now, changing] = [draft.value, change.value];
		const steps = now?.corners ?? changing?.geometry;
		if (!steps) return;
		this.undo.disabled = steps.past.length === 0;
		this.redo.disabled = steps.future.length === 0;
		this.typing.fit(now);
		this.cancel.lastElementChild?.replaceChildren(text(now?.tool === "measure" ? "action.close" : "action.cancel"));
		if (now) this.tellDraft(now);
		else if (changing) this.tellChange(changing.geometry.now);
	}

	/** @param {Draft} now */
	tellDraft(now) {
		const { tool, isDone } = now;
		const corners = now.corners.now;
		const at = cursor.value;
		const all = at && corners.length > 0 && !isDone ? [...corners, nearestTurn(at, corners.at(-1))] : corners;
		this.hint.textContent = text(hintOf(now, isByKeyboard.value));
		this.finish.hidden = isDone || ["point", "rectangle", "circle"].includes(tool);
		this.finish.disabled = !canFinish(tool, corners);
		const isLooked = tool === "polygon" && all.length > 3 && all.length < MAX_LOOKED_THROUGH;
		const crosses = isLooked && selfCrossing({ type: "Polygon", coordinates: [closeRing(all)] }) !== null;
		this.tellSize(measuresText(measuresOf(tool, all), isLine(tool)), crosses);
	}

	/** @param {string} size @param {boolean} crosses whether the outline crosses itself, so that its size says nothing */
	tellSize(size, crosses) {
		this.size.textContent = crosses ? "" : size;
		this.warning.textContent = crosses ? text("areas.crosses") : "";
	}

	/** @param {import("../base/state.js").Geometry} geometry */
	tellChange(geometry) {
		const isPoint = geometry.type === "Point";
		this.finish.hidden = false;
		this.finish.disabled = false;
		this.hint.textContent = text(
			isTooFine.value ? "draw.hint.zoomIn" : isPoint ? "draw.hint.movePoint" : "draw.hint.change",
		);
		const size = isPoint ? placeText(geometry.coordinates) : measuresText(measuresOfGeometry(geometry), false);
		this.tellSize(size, selfCrossing(geometry) !== null);
	}

	/** Tells those who do not see the map what the last step was. */
	announce() {
		const now = draft.value;
		const corners = now?.corners.now ?? [];
		if (!now || corners.length === 0) return;
		const size = measuresText(measuresOf(now.tool, corners), isLine(now.tool));
		outcome.value = text("draw.spoken", {
			number: corners.length,
			place: placeText(corners[corners.length - 1]),
			size,
		});
	}
}

/** Fields for the next corner; for the edge of a circle its radius. */
class Typing {
	constructor() {
		this.latitude = makeField(text("draw.latitude"), "51.2194");
		this.longitude = makeField(text("draw.longitude"), "4.4025");
		this.radius = makeField(text("draw.radiusField"), "500");
		this.fault = make("p", { class: "draw-warning", role: "alert" });
		const set = make("button", { type: "submit" }, text("draw.set"));
		const fields = [this.latitude, this.longitude, this.radius].map(({ field }) => field);
		this.form = make("form", { class: "draw-typing", novalidate: true }, ...fields, set, this.fault);
		this.form.hidden = true;
		this.form.addEventListener("submit", (event) => {
			event.preventDefault();
			this.take();
		});
		this.toggle = makeIconButton("pin", text("draw.type"), () => this.open(Boolean(this.form.hidden)), {
			"aria-expanded": "false",
		});
	}

	/** @param {boolean} isOpen */
	open(isOpen) {
		this.form.hidden = !isOpen;
		this.toggle.setAttribute("aria-expanded", String(isOpen));
		if (isOpen) (this.radius.field.hidden ? this.latitude : this.radius).input.focus();
	}

	close() {
		this.open(false);
		for (const { input } of [this.latitude, this.longitude, this.radius]) input.value = "";
		this.fault.textContent = "";
	}

	/** @param {Draft | null} now null while an area is changed */
	fit(now) {
		this.toggle.hidden = now === null;
		if (now === null) this.open(false);
		const isRadius = now?.tool === "circle" && now.corners.now.length === 1;
		this.radius.field.hidden = !isRadius;
		this.latitude.field.hidden = this.longitude.field.hidden = isRadius;
	}

	take() {
		const corners = draft.peek()?.corners.now ?? [];
		const [lat, lon, radius] = [this.latitude, this.longitude, this.radius].map(({ input }) =>
			parseNumber(input.value),
		);
		const isRadius = !this.radius.field.hidden;
		const isGood = isRadius ? radius > 0 && radius < 5e6 : Math.abs(lat) <= 90 && Math.abs(lon) <= 180;
		this.fault.textContent = isGood ? "" : text(isRadius ? "draw.badRadius" : "draw.badPlace");
		if (!isGood) return;
		if (isRadius) setCorner(radiusEnd(corners[0], radius));
		else {
			setCorner([lon, lat]);
			showPlace(lon, lat);
		}
		for (const { input } of [this.latitude, this.longitude, this.radius]) input.value = "";
		if (!this.form.hidden) (isRadius ? this.radius : this.latitude).input.focus();
	}
}

/** Moves the map so that a typed place is in sight. @param {number} lon @param {number} lat */
function showPlace(lon, lat) {
	const now = view.peek();
	if (!now) return;
	const [west, south, east, north] = now.bbox;
	const isInside = lat > south && lat < north && (west < east ? lon > west && lon < east : lon > west || lon < east);
	if (!isInside) destination.value = { view: { lon, lat, zoom: now.zoom } };
}

/** @param {string} words with a point or a comma @returns {number} NaN where it is none */
function parseNumber(words) {
	const trimmed = words.trim().replace(",", ".").replace("−", "-");
	return /^[+-]?(\d+\.?\d*|\.\d+)$/.test(trimmed) ? Number(trimmed) : Number.NaN;
}

/** @param {string} label @param {string} example */
function makeField(label, example) {
	const input = make("input", { type: "text", inputmode: "decimal", autocomplete: "off", placeholder: example });
	return { input, field: make("label", { class: "draw-field" }, make("span", {}, label), input) };
}
