/** Creates elements with attributes and content; texts are set as text. */
import { makeIcon } from "./icons.js";

/**
 * @typedef {Record<string, string | number | boolean | ((event: any) => void)>} Attributes `on…` is a listener; false
 *   omits the attribute, true makes it empty; buttons do not submit unless `type` is set
 */

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Attributes} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, attributes = {}, ...children) {
	const element = document.createElement(tag);
	if (tag === "button") element.setAttribute("type", "button");
	for (const [name, value] of Object.entries(attributes)) {
		if (typeof value === "function") element.addEventListener(name.slice(2), value);
		else if (value !== false) element.setAttribute(name, value === true ? "" : String(value));
	}
	element.append(...children);
	return element;
}

/**
 * Returns a function that gives the colours of the style sheet at an element, for canvases.
 * @param {Element} element
 * @returns {(name: string) => string}
 */
export function colourReader(element) {
	const looks = getComputedStyle(element);
	const worn = looks.colorScheme === "dark" ? "$2" : "$1";
	return (name) =>
		looks
			.getPropertyValue(name)
			.trim()
			.replace(/^light-dark\((.+?), ?(.+)\)$/, worn);
}

/** Attributes of an element that is a slider by hand, from 0 on. */
export const SLIDER = { role: "slider", tabindex: 0, "aria-valuemin": 0 };

/**
 * Runs the action of a key and prevents the default of the browser; ignores other keys.
 * @param {KeyboardEvent} event
 * @param {Record<string, () => void>} acts by key
 */
export function runKey(event, acts) {
	if (!Object.hasOwn(acts, event.key)) return;
	event.preventDefault();
	acts[event.key]();
}

/**
 * Follows a pointer while it is pressed.
 * @param {HTMLElement} element
 * @param {(event: PointerEvent) => void} take
 */
export function followDrag(element, take) {
	element.addEventListener("pointerdown", (event) => {
		element.setPointerCapture(event.pointerId);
		take(event);
	});
	element.addEventListener("pointermove", (event) => {
		if (element.hasPointerCapture(event.pointerId)) take(event);
	});
}

/**
 * A button that is an icon.
 * @param {string} icon as in icons.svg
 * @param {string} label
 * @param {(event: any) => void} onclick
 * @param {Attributes} [more]
 */
export const makeIconButton = (icon, label, onclick, more = {}) =>
	make("button", { class: "quiet icon", "aria-label": label, title: label, onclick, ...more }, makeIcon(icon));

/**
 * A button with an icon before its words.
 * @param {string} icon as in icons.svg
 * @param {string} words
 * @param {(event: any) => void} onclick
 * @param {Attributes} [more]
 */
export const makeWordButton = (icon, words, onclick, more = {}) =>
	make("button", { onclick, ...more }, makeIcon(icon), make("span", {}, words));

/** A button with words. @param {string} words @param {(event: any) => void} onclick @param {Attributes} [more] */
export const makeButton = (words, onclick, more = {}) => make("button", { onclick, ...more }, words);

let fieldsMade = 0;

/**
 * Returns a control with a label above it.
 * @param {string} words
 * @param {HTMLElement} control
 * @param {HTMLElement} [content] the control and the elements next to it
 */
export function makeField(words, control, content = control) {
	control.id ||= `field-${++fieldsMade}`;
	return make("div", { class: "field" }, make("label", { for: control.id }, words), content);
}

/** @typedef {readonly [value: string, words: string, isDisabled?: boolean]} Choice */

/**
 * Returns a list with one choice.
 * @param {readonly Choice[]} choices
 * @param {(value: string) => void} choose
 * @param {Attributes} [more]
 */
export function makeSelect(choices, choose, more = {}) {
	const select = make("select", { onchange: () => choose(select.value), ...more });
	fillSelect(select, choices);
	return select;
}

/**
 * Replaces the choices of a list; the current one stays selected if it still exists.
 * @param {HTMLSelectElement} select
 * @param {readonly Choice[]} choices
 */
export function fillSelect(select, choices) {
	const before = select.value;
	select.replaceChildren(
		...choices.map(([value, words, disabled = false]) => make("option", { value, disabled }, words)),
	);
	if (choices.some(([value]) => value === before)) select.value = before;
}

/**
 * The element of the page that has an id.
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id
 * @param {new () => T} [type]
 * @returns {T}
 */
export function byId(id, type) {
	const element = document.getElementById(id);
	if (!(element instanceof (type ?? HTMLElement)))
		throw new Error(`index.html has no ${type?.name ?? "element"} #${id}`);
	return /** @type {T} */ (element);
}

/**
 * A button that shows an element, and hides it again.
 * @param {string} icon as in icons.svg
 * @param {string} label
 * @param {HTMLElement} element hidden at first
 * @param {() => void} [opened]
 */
export function makeOpener(icon, label, element, opened = () => {}) {
	const open = (/** @type {boolean} */ isOpen) => {
		element.hidden = !isOpen;
		button.setAttribute("aria-expanded", String(isOpen));
		if (isOpen) opened();
	};
	const button = makeIconButton(icon, label, () => open(Boolean(element.hidden)));
	open(false);
	return { button, open };
}

/**
 * Updates a list to one row for each key, in their order; existing rows stay, and with them the focus.
 * @template {{ element: HTMLElement, remove: () => void }} Row
 * @param {HTMLElement} list
 * @param {Map<string, Row>} rows existing rows
 * @param {string[]} keys
 * @param {(key: string) => Row} makeRow
 */
export function keepRows(list, rows, keys, makeRow) {
	const coming = new Set(keys);
	for (const [key, row] of rows) {
		if (coming.has(key)) continue;
		row.remove();
		rows.delete(key);
	}
	for (const [at, key] of keys.entries()) {
		const row = rows.get(key) ?? makeRow(key);
		rows.set(key, row);
		if (list.children[at] !== row.element) list.insertBefore(row.element, list.children[at] ?? null);
	}
}
