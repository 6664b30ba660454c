/** Elements of the page, made in one line. */

let labelled = 0;

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} name @param {object} properties of the element
 * @returns {HTMLElementTagNameMap[K]}
 */
export function makeElement(name, properties) {
	const element = document.createElement(name);
	Object.assign(element, properties);
	return element;
}

/** A field, and the label that is made for it. @template {HTMLElement} T @param {string} words @param {T} field */
export function makeLabelled(words, field) {
	labelled += 1;
	field.id = `time-field-${labelled}`;
	return { label: makeElement("label", { htmlFor: field.id, textContent: words }), field };
}
