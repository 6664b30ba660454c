/** Controls of the frame: panel, menu, colours, language, and the buttons that open dialogs. */

import { byId } from "../base/elements.js";
import { changeIcon } from "../base/icons.js";
import { startPart } from "../base/parts.js";
import { addressOf, readAddress, visit, withoutKey } from "../base/permalink.js";
import { chooseTheme, isDark, layer, link, theme, zoomToLayer } from "../base/state.js";
import { LOCALES, language, text } from "../base/text.js";
import { effect } from "../vendor/signals-core.js";
import { startSheet } from "./sheet.js";
import { startShortcuts } from "./shortcuts.js";
import { startDescription, startSpeech } from "./speech.js";

/** @typedef {import("../base/permalink.js").Theme} Theme */

/** In the order of the switch. @type {Theme[]} */
const THEMES = ["auto", "light", "dark"];

/** Space on a landscape A4 page above the link, in CSS pixels. */
const ROOM = { width: 1040, height: 620 };
/** Scaled tiles must end at whole pixels; otherwise lines appear between them. */
const TILE_PX = 256;

export function startFrame() {
	startPanelButton();
	startMenu();
	startTheme();
	startLanguage();
	startSpeech(byId("spoken"));
	startDescription(byId("map-text"));
	startSheet(byId("sheet"), byId("sheet-handle", HTMLButtonElement));
	startShortcuts();
	startPrint(byId("map-frame"), byId("chart"), byId("print-link"));
	const home = byId("home-button", HTMLButtonElement);
	home.addEventListener("click", () => zoomToLayer());
	effect(() => {
		home.disabled = layer.value === null;
	});
	startLazily("share-button", async () => (await import("./share.js")).openShare());
	startLazily("help-button", async () => (await import("./help.js")).openHelp());
}

/** @param {string} id of a button @param {() => Promise<unknown>} open */
function startLazily(id, open) {
	byId(id, HTMLButtonElement).addEventListener("click", () => startPart(id, open));
}

/** Shows or hides the panel next to the map. */
function startPanelButton() {
	const button = byId("panel-button", HTMLButtonElement);
	button.addEventListener("click", () => {
		const isOpen = document.documentElement.dataset.panel === "closed";
		document.documentElement.dataset.panel = isOpen ? "open" : "closed";
		button.setAttribute("aria-expanded", String(isOpen));
	});
}

/** In narrow windows the tools of the header are a menu. Escape, a choice or a click outside closes it. */
function startMenu() {
	const button = byId("menu-button", HTMLButtonElement);
	const tools = byId("tools");
	const show = (/** @type {boolean} */ isOpen) => {
		tools.toggleAttribute("data-open", isOpen);
		button.setAttribute("aria-expanded", String(isOpen));
	};
	button.addEventListener("click", () => show(!tools.hasAttribute("data-open")));
	tools.addEventListener("click", (event) => {
		const chosen = /** @type {Element} */ (event.target).closest("button");
		if (chosen && chosen.id !== "theme-button") show(false);
	});
	document.addEventListener("pointerdown", (event) => {
		const target = /** @type {Node} */ (event.target);
		if (!tools.contains(target) && !button.contains(target)) show(false);
	});
	for (const element of [button, tools]) {
		element.addEventListener("keydown", (event) => {
			if (event.key !== "Escape" || !tools.hasAttribute("data-open")) return;
			show(false);
			button.focus();
		});
	}
}

function startTheme() {
	const button = byId("theme-button", HTMLButtonElement);
	button.addEventListener("click", () => {
		chooseTheme(THEMES[(THEMES.indexOf(theme.peek()) + 1) % THEMES.length]);
	});
	effect(() => {
		const words = text(`shell.theme.${theme.value}`);
		changeIcon(button, `theme-${theme.value}`);
		button.title = words;
		button.setAttribute("aria-label", words);
		/** @type {HTMLElement} */ (button.querySelector("span")).textContent = words;
	});
	effect(() => {
		for (const meta of document.querySelectorAll("meta[name=theme-color]")) {
			meta.setAttribute("content", isDark.value ? "#151b19" : "#ffffff");
		}
	});
}

/** Reloads the page in another language, with the same link. */
function startLanguage() {
	const select = byId("language", HTMLSelectElement);
	const names = Object.keys(LOCALES).map((code) => {
		const option = new Option(new Intl.DisplayNames([code], { type: "language" }).of(code), code);
		option.lang = code;
		return option;
	});
	select.replaceChildren(...names);
	select.value = language();
	select.addEventListener("change", () => visit({ ...(link.peek() ?? readAddress().link), language: select.value }));
}

/**
 * Fits the map and the chart to the page before it is printed, and writes the link to the view.
 * @param {HTMLElement} frame of the map
 * @param {HTMLElement} chart
 * @param {HTMLElement} place of the link
 */
function startPrint(frame, chart, place) {
	window.addEventListener("beforeprint", () => {
		const { width, height } = frame.getBoundingClientRect();
		const scale = Math.min(ROOM.width / width, ROOM.height / (height + chart.getBoundingClientRect().height));
		const { style } = document.documentElement;
		style.setProperty("--print-width", `${width}px`);
		style.setProperty("--print-height", `${height}px`);
		style.setProperty("--print-scale", String(Math.floor(scale * TILE_PX) / TILE_PX));
		place.textContent = withoutKey(addressOf(link.peek() ?? readAddress().link));
	});
}
