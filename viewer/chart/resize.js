/** The handle that makes a drawer taller or lower, by pointer and by keys. */
import { text } from "../base/text.js";

const STEP_PX = 24;
const LOWEST_PX = 150;

/** Height that is left to the map in any case, in pixels. @param {HTMLElement} map */
const leastHeight = (map) => Number.parseFloat(window.getComputedStyle(map).flexBasis) || 0;

/**
 * @param {HTMLElement} handle @param {HTMLElement} body whose height it sets @param {number} usual in pixels
 */
export function startHandle(handle, body, usual) {
	let [wished, height] = [usual, usual];
	const map = /** @type {HTMLElement} */ (document.getElementById("map-frame"));
	const stage = /** @type {HTMLElement} */ (map.parentElement);
	const highest = () => {
		const room = map.offsetHeight + body.offsetHeight - (stage.scrollHeight - stage.clientHeight);
		return Math.max(LOWEST_PX, room - leastHeight(map));
	};
	const set = (/** @type {number} */ next) => {
		wished = next;
		height = Math.round(Math.max(LOWEST_PX, Math.min(highest(), wished)));
		body.style.setProperty("--chart-height", `${height}px`);
		handle.setAttribute("aria-valuenow", String(height));
		handle.setAttribute("aria-valuemax", String(highest()));
		handle.setAttribute("aria-valuetext", text("chart.heightNow", { height }));
	};
	handle.setAttribute("aria-valuemin", String(LOWEST_PX));
	set(usual);
	/** @type {Record<string, () => number>} */
	const keys = {
		ArrowUp: () => height + STEP_PX,
		ArrowDown: () => height - STEP_PX,
		Home: highest,
		End: () => LOWEST_PX,
		Enter: () => usual,
	};
	handle.addEventListener("keydown", (event) => {
		if (!Object.hasOwn(keys, event.key)) return;
		event.preventDefault();
		set(keys[event.key]());
	});
	handle.addEventListener("pointerdown", (event) => {
		const from = { y: event.clientY, height };
		handle.setPointerCapture(event.pointerId);
		const move = (/** @type {PointerEvent} */ { clientY }) => set(from.height + from.y - clientY);
		handle.addEventListener("pointermove", move);
		for (const end of ["pointerup", "pointercancel"])
			handle.addEventListener(end, () => handle.removeEventListener("pointermove", move), { once: true });
	});
	handle.addEventListener("dblclick", () => set(usual));
	// What else stands above and below the map takes of the same room, and gives it back.
	const resized = new ResizeObserver(() => window.requestAnimationFrame(() => set(wished)));
	for (const element of [stage, ...stage.children]) resized.observe(element);
}
