/**
 * The bubble with the values under the pointer, or in the middle of the map for keyboard users. It sends no requests;
 * on devices without hovering it is in the corner.
 *
 * @typedef {import("../base/permalink.js").Point} Point
 * @typedef {import("../vendor/leaflet.js").Map} LeafletMap
 */
import { placeText } from "../areas/size-labels.js";
import { until } from "../base/delays.js";
import { make } from "../base/elements.js";
import { describeMap, isGapFilled, mapTool, places, pointer, reportPointer, sideA, timeDomain } from "../base/state.js";
import { text } from "../base/text.js";
import { centreOf, maps, placeUnder } from "../map/map.js";
import { isInspectorOn } from "../shell/shortcuts.js";
import { batch, effect, signal } from "../vendor/signals-core.js";
import { digitsOf, rowsAt, series } from "./readings.js";

/** Between the pointer and the bubble. */
const GAP_PX = 16;

/** The module that draws the line of a year, once loaded. */
const spark = signal(/** @type {typeof import("./spark.js") | null} */ (null));

/** Position on the page, and whether it was set by keyboard. */
const spot = signal({ x: 0, y: 0, isByKeys: false });

/** @param {Point} point @param {{ x: number, y: number, isByKeys: boolean }} at */
const tell = (point, at) =>
	batch(() => {
		spot.value = at;
		reportPointer(point);
	});

/** @param {HTMLElement} element */
function show(element) {
	const at = pointer.value;
	const { x, y, isByKeys } = spot.value;
	void isGapFilled.value;
	element.hidden = at === null || !isInspectorOn.value;
	if (!at || element.hidden) return;
	const place = make("span", { class: "reading-place" }, placeText([at.lon, at.lat], digitsOf(sideA)));
	const line = spark.value?.sparkAt(at);
	const first = timeDomain.value.instants[0];
	element.replaceChildren(...rowsAt(at), place);
	if (line) element.append(line);
	if (first && !mapTool.value) {
		const since = text(isByKeys ? "value.enterSince" : "value.clickSince", { year: first.text.slice(0, 4) });
		element.append(make("span", { class: "reading-hint", "aria-hidden": "true" }, since));
	}
	moveTo(element, x, y);
}

/**
 * Moves it next to a position on the page, within the map.
 * @param {HTMLElement} element
 * @param {number} x
 * @param {number} y
 */
function moveTo(element, x, y) {
	const frame = /** @type {HTMLElement} */ (element.parentElement).getBoundingClientRect();
	const { width, height } = element.getBoundingClientRect();
	const [left, top] = [x - frame.left, y - frame.top];
	const isRight = left + GAP_PX + width <= frame.width;
	const isBelow = top + GAP_PX + height <= frame.height;
	element.style.setProperty("--left", `${Math.max(0, isRight ? left + GAP_PX : left - GAP_PX - width)}px`);
	element.style.setProperty("--top", `${Math.max(0, isBelow ? top + GAP_PX : top - GAP_PX - height)}px`);
}

/**
 * Updates the state's pointer from the pointer, or from the centre of the map if the keyboard is used.
 * @param {LeafletMap} map
 * @param {HTMLElement} element of the bubble
 */
function followPointer(map, element) {
	const container = map.getContainer();
	const isKeyboard = () => container.dataset.keyboard !== undefined && document.activeElement === container;
	const takeCentre = () => {
		if (!isKeyboard()) return;
		const { left, top, width, height } = container.getBoundingClientRect();
		tell(centreOf(map), { x: left + width / 2, y: top + height / 2, isByKeys: true });
	};
	/**
	 * The last event of the pointer while it is over this map; after a touch the pointer does not rest on the map.
	 * @type {any}
	 */
	let hovering = null;
	let isMouse = false;
	const takeHovered = () => {
		const { clientX: x, clientY: y } = hovering.originalEvent;
		tell(placeUnder(map, hovering.containerPoint), { x, y, isByKeys: false });
	};
	const leave = () => {
		hovering = null;
		if (isKeyboard()) takeCentre();
		else reportPointer(null);
	};
	/** @type {Record<string, (event: any) => void>} */
	const onMap = {
		mousemove: (event) => {
			// Browsers also send events for pointers at rest, if the content under them has moved.
			const { movementX, movementY } = event.originalEvent;
			if (isKeyboard() && movementX === 0 && movementY === 0) return;
			hovering = event;
			takeHovered();
		},
		mouseout: leave,
		move: () => {
			if (isKeyboard()) takeCentre();
			// After a drag or a change of the view, the map moves under a pointer at rest.
			else if (hovering && isMouse && !document.body.classList.contains("leaflet-dragging")) takeHovered();
		},
		// Screen readers get the values when the map has stopped.
		moveend: () => {
			takeCentre();
			if (!isKeyboard() || element.hidden) return;
			const texts = element.querySelectorAll(".reading, .reading-place");
			describeMap([...texts].map((each) => each.textContent).join(" "));
		},
	};
	const stopping = new AbortController();
	map.on(onMap);
	for (const kind of /** @type {const} */ (["pointerdown", "pointermove"]))
		container.addEventListener(
			kind,
			({ pointerType }) => {
				isMouse = pointerType === "mouse";
			},
			{ signal: stopping.signal, capture: true },
		);
	container.addEventListener("keyup", takeCentre, { signal: stopping.signal });
	container.addEventListener("blur", leave, { signal: stopping.signal });
	return () => {
		map.off(onMap);
		stopping.abort();
	};
}

/**
 * Sets a signal to a loaded module, null if loading fails.
 * @template T
 * @param {import("@preact/signals-core").Signal<T | null>} into
 * @param {Promise<T>} coming
 */
async function take(into, coming) {
	into.value = await coming.catch(() => null);
}

/** @param {HTMLElement} element that shows it */
export function startReadout(element) {
	effect(() => {
		const stops = maps.value.map((map) => followPointer(map, element));
		return () => {
			for (const stop of stops) stop();
		};
	});
	effect(() => show(element));
	void until(() => pointer.value !== null).then(() => take(spark, import("./spark.js")));
	void until(() => places.value.length > 0).then(() => take(series, import("../chart/series/lines.js")));
}
