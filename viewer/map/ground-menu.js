/** The menu of base maps below the layers and of overlays above them: it opens from a button on the map. */

import { make } from "../base/elements.js";
import {
	BACKGROUNDS,
	background,
	chooseBackground,
	dismiss,
	overlay,
	overlayMaps,
	shownOverlays,
	showOverlay,
	showOverlayMaps,
} from "../base/state.js";
import { text } from "../base/text.js";
import { effect } from "../vendor/signals-core.js";

/** @param {HTMLElement} button @param {HTMLElement} menu its popover */
export function startGroundMenu(button, menu) {
	const select = make("select", { id: "background" });
	select.addEventListener("change", () => {
		chooseBackground(select.value);
		dismiss("background");
	});
	const borders = makeSwitch("overlay", text("display.overlay"), (isOn) => {
		showOverlay(isOn);
	});
	const others = overlayMaps.value.map(({ id, title }) => ({
		id,
		...makeSwitch(`overlay-${id}`, title, (isOn) => {
			const rest = shownOverlays.peek().filter((each) => each !== id);
			showOverlayMaps(isOn ? [...rest, id] : rest);
		}),
	}));
	menu.replaceChildren(
		make("div", { class: "field" }, make("label", { for: "background" }, text("display.background")), select),
		borders.element,
		...others.map(({ element }) => element),
	);
	effect(() => {
		select.replaceChildren(...BACKGROUNDS.value.map(({ id, title }) => new Option(title, id)));
		select.value = background.value;
		borders.input.checked = overlay.value;
		for (const { id, input } of others) input.checked = shownOverlays.value.includes(id);
	});
	const place = () => {
		const { top, left } = button.getBoundingClientRect();
		const room = window.innerHeight - menu.offsetHeight - 8;
		Object.assign(menu.style, {
			top: `${Math.max(8, Math.min(top, room))}px`,
			right: `${window.innerWidth - left + 8}px`,
		});
	};
	menu.addEventListener("toggle", place);
	place();
}

/** @param {string} id @param {string} words @param {(isOn: boolean) => void} change */
function makeSwitch(id, words, change) {
	const input = make("input", { id, type: "checkbox", onchange: () => change(input.checked) });
	return { input, element: make("div", { class: "field check" }, input, make("label", { for: id }, words)) };
}
