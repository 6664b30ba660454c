/** What the first view asks of the server, asked as soon as these few modules are there and not when all of them are. */
import { fetchConfig, fetchLayers, fetchOwn } from "./base/api.js";
import { readAddress } from "./base/permalink.js";
import { pickLanguage, useTexts } from "./base/text.js";

const { signal: never } = new AbortController();

/** The language of the page. */
export const code = pickLanguage([readAddress().link.language, ...window.navigator.languages]);

// Questions are asked in that language too.
useTexts(code, {});

/** The texts of the page. @type {Promise<Parameters<typeof useTexts>[1]>} */
export const texts = fetchOwn(`i18n/${code}.json`);

/** What the configuration says of the viewer; null when it cannot be had. */
export const config = fetchConfig(never).catch(() => null);

/** The layers; null when they cannot be had: without the texts nobody could tell why. */
export const listed = fetchLayers(never).catch(() => null);
