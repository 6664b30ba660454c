/**
 * What the viewer says, in the language chosen. The texts are in i18n/, one file a language; main.js hands them over
 * before anything is shown. A text has names in braces for what is filled in; one that depends on a number is an object
 * of the plural forms of its language, chosen by `count`.
 *
 * @typedef {keyof (typeof import("../i18n/en.json"))} TextKey
 * @typedef {string | Partial<Record<Intl.LDMLPluralRule, string>>} Entry
 * @typedef {Record<string, string | number>} Values
 */

/**
 * Codes of the languages that i18n/ has, and the locale in which each writes numbers and dates. The first is the
 * default.
 */
export const LOCALES = { en: "en-GB", nl: "nl-BE", fr: "fr-BE", de: "de-DE", es: "es-ES", pt: "pt-BR" };

/** @typedef {keyof typeof LOCALES} Language */

/** @type {{ language: Language, entries: Record<string, Entry> }} */
let now = { language: "en", entries: {} };

/**
 * The language that a link or the browser asks for, as near as we have it.
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

/** In which numbers and dates are written. */
export const locale = () => LOCALES[now.language];

/**
 * A text with what is filled in; numbers are written as the language has them.
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
 * A title of a style or a class in the language of the page, where it is one of those that
 * servers have without configuration; others are as the operator wrote them.
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

/** What an attribute names: the text of the element itself, or of one of its attributes. */
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
