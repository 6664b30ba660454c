/** Elements made with their attributes and what is in them; texts are set as text. */
import { makeIcon } from "./icons.js";

/** @typedef {Record<string, string | number | boolean | ((event: any) => void)>} Attributes `on…` is a listener; false leaves out, true is empty */

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag @param {Attributes} [attributes] @param {...(Node | string)} children @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, attributes = {}, ...children) {
	const element = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes)) {
		if (typeof value === "function") element.addEventListener(name.slice(2), value);
		else if (value !== false) element.setAttribute(name, value === true ? "" : String(value));
	}
	element.append(...children);
	return element;
}

/** What gives the colours of a style sheet where an element is, as canvases take them. @param {Element} element @returns {(name: string) => string} */
export function colourReader(element) {
	const looks = getComputedStyle(element);
	const worn = looks.colorScheme === "dark" ? "$2" : "$1";
	return (name) =>
		looks
			.getPropertyValue(name)
			.trim()
			.replace(/^light-dark\((.+?), ?(.+)\)$/, worn);
}

/** A button that is an icon. @param {string} icon as in icons.svg @param {string} label @param {(event: any) => void} onclick @param {Attributes} [more] */
export const makeIconButton = (icon, label, onclick, more = {}) =>
	make(
		"button",
		{ type: "button", class: "quiet icon", "aria-label": label, title: label, onclick, ...more },
		makeIcon(icon),
	);

/** A button with an icon before its words. @param {string} icon as in icons.svg @param {string} words @param {(event: any) => void} onclick @param {Attributes} [more] */
export const makeWordButton = (icon, words, onclick, more = {}) =>
	make("button", { type: "button", onclick, ...more }, makeIcon(icon), make("span", {}, words));
