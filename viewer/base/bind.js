/** Elements that follow signals. */
import { effect } from "../vendor/signals-core.js";

/**
 * Keeps properties of an element as `read` gives them from signals; `data` and `aria` attributes by their properties, too.
 * @template {Element} E @param {E} element @param {() => Partial<E>} read
 */
export const bind = (element, read) => effect(() => void Object.assign(element, read()));
