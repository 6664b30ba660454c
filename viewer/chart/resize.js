/** The handle that makes a drawer taller or lower, by pointer and by keys. */
import { make, runKey } from "../base/elements.js";
import { text } from "../base/text.js";
import { effect } from "../vendor/signals-core.js";

const STEP_PX = 24;
const LOWEST_PX = 110;

/**
 * Adds behaviour to the handle that exists in the page.
 * @param {HTMLElement} body element with the adjustable height
 * @param {() => number} usual in pixels; reads the signals that it depends on
 */
export function makeHandle(body, usual) {
	const label = text("chart.height");
	const role = { role: "separator", tabindex: 0, "aria-label": label, "aria-orientation": "horizontal" };
	const handle = make("div", { class: "chart-handle", ...role, "aria-valuemin": LOWEST_PX });
	/** Height set by the user; null for the default. @type {number | null} */
	let wished = null;
	let height = 0;
	const map = /** @type {HTMLElement} */ (document.getElementById("map-frame"));
	const stage = /** @type {HTMLElement} */ (map.parentElement);
	const highest = () => {
		const room = map.offsetHeight + body.offsetHeight - (stage.scrollHeight - stage.clientHeight);
		// The minimum height of the map.
		const least = Number.parseFloat(window.getComputedStyle(map).flexBasis) || 0;
		return Math.max(LOWEST_PX, room - least);
	};
	const set = (/** @type {number | null} */ next) => {
		wished = next;
		height = Math.round(Math.max(LOWEST_PX, Math.min(highest(), wished ?? usual())));
		body.style.setProperty("--chart-height", `${height}px`);
		const words = text("chart.heightNow", { height });
		Object.assign(handle, { ariaValueNow: height, ariaValueMax: highest(), ariaValueText: words });
	};
	effect(() => set(wished));
	const acts = {
		ArrowUp: () => set(height + STEP_PX),
		ArrowDown: () => set(height - STEP_PX),
		Home: () => set(highest()),
		End: () => set(LOWEST_PX),
		Enter: () => set(null),
	};
	handle.addEventListener("keydown", (event) => runKey(event, acts));
	handle.addEventListener("pointerdown", (event) => {
		const from = { y: event.clientY, height };
		handle.setPointerCapture(event.pointerId);
		const move = (/** @type {PointerEvent} */ { clientY }) => set(from.height + from.y - clientY);
		handle.addEventListener("pointermove", move);
		for (const end of ["pointerup", "pointercancel"])
			handle.addEventListener(end, () => handle.removeEventListener("pointermove", move), { once: true });
	});
	handle.addEventListener("dblclick", () => set(null));
	// Other parts above and below the map use the same space and release it.
	const resized = new ResizeObserver(() => window.requestAnimationFrame(() => set(wished)));
	for (const element of [stage, ...stage.children]) resized.observe(element);
	return handle;
}
