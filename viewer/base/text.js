/**
 * The texts of the viewer in the chosen language. They are in i18n/, one file per language; main.js passes them on
 * before
 * anything is shown. Names in braces are placeholders; a text that depends on a number is an object of the plural forms
 * of its language, chosen by `count`.
 *
 * @typedef {keyof (typeof import("../i18n/en.json"))} TextKey
 * @typedef {string | Partial<Record<Intl.LDMLPluralRule, string>>} Entry
 * @typedef {Record<string, string | number>} Values
 */

/**
 * Codes of the languages in i18n/, and the locale of each for numbers and dates. The first is the default.
 */
export const LOCALES = { en: "en-GB", nl: "nl-BE", fr: "fr-BE", de: "de-DE", es: "es-ES", pt: "pt-BR" };

/** @typedef {keyof typeof LOCALES} Language */

/** @type {{ language: Language, entries: Record<string, Entry> }} */
let now = { language: "en", entries: {} };

/**
 * Returns the available language that fits the wishes of the link or the browser best.
 * @param {(string | undefined)[]} wishes in their order
 * @returns {Language}
 */
export function pickLanguage(wishes) {
	for (const wish of wishes) {
		const code = wish?.toLowerCase().split("-")[0] ?? "";
		if (Object.hasOwn(LOCALES, code)) return /** @type {Language} */ (code);
	}
	return "en";
}

/** @param {Language} language @param {Record<string, Entry>} entries */
export function useTexts(language, entries) {
	now = { language, entries };
}

/** Code of the language in use. */
export const language = () => now.language;

/** Returns the locale of numbers and dates. */
export const locale = () => LOCALES[now.language];

/**
 * Returns a text with its placeholders filled in; numbers are formatted for the language.
 * @param {TextKey} key @param {Values} [values]
 */
export function text(key, values = {}) {
	const entry = now.entries[key] ?? key;
	const rule = new Intl.PluralRules(locale()).select(Number(values.count ?? 0));
	const words = typeof entry === "string" ? entry : (entry[rule] ?? entry.other ?? key);
	return words.replace(/\{(\w+)\}/g, (whole, name) => {
		const value = values[name];
		return typeof value === "number" ? value.toLocaleString(locale()) : (value ?? whole);
	});
}

/**
 * Translates the title of a style or a class, if it is one of the built-in ones; titles of the configuration are not
 * changed.
 * @param {string} word in English
 */
export function knownWord(word) {
	const slug = word
		.toLowerCase()
		.replace(/[^a-z0-9]+/g, "-")
		.replace(/^-|-$/g, "");
	const entry = now.entries[`word.${slug}`];
	return typeof entry === "string" ? entry : word;
}

/**
 * The name of a flag, or the reason for a missing value, as people write it.
 * @param {string} name as the server writes it
 */
export const flagText = (name) => (name === "nodata" ? text("value.noData") : knownWord(name).replaceAll("_", " "));

/** A share as people write it: "43 %". @param {number} share from 0 to 1 */
export const percent = (share) =>
	new Intl.NumberFormat(locale(), { style: "percent", maximumFractionDigits: 0 }).format(share);

/** Attributes for texts: the text of the element itself, or of one of its attributes. */
const TARGETS = { text: null, label: "aria-label", title: "title", placeholder: "placeholder" };

/**
 * Fills in the texts that the page's own elements name: `data-text`, `data-text-label`, -title and -placeholder.
 * @param {ParentNode} root
 */
export function fillTexts(root) {
	for (const [kind, attribute] of Object.entries(TARGETS)) {
		const name = kind === "text" ? "data-text" : `data-text-${kind}`;
		for (const element of root.querySelectorAll(`[${name}]`)) {
			const words = text(/** @type {TextKey} */ (element.getAttribute(name)));
			if (attribute) element.setAttribute(attribute, words);
			else element.textContent = words;
		}
	}
}
