/**
 * Runs checks in Debian's Chromium, or in Firefox if CHRONOTILE_BROWSER is `firefox`, against a running server, and
 * reports failures with reasons. Each page of a check is in a separate browser context without storage or cookies.
 * Playwright drives Firefox by WebDriver BiDi, which has no colour schemes, no reduced motion and no sessions of the
 * Chrome DevTools Protocol.
 *
 * @typedef {import("playwright-core").Browser} Browser
 * @typedef {import("playwright-core").BrowserContext} BrowserContext
 * @typedef {import("playwright-core").Page} Page
 * @typedef {import("playwright-core").Route} Route
 * @typedef {{ base: string, outDir: string, open: (options?: OpenOptions) => Promise<Opened> }} Bench
 * @typedef {{
 *   path?: string, search?: string, width?: number, height?: number, scheme?: "light" | "dark", allowed?: RegExp,
 *   routes?: Record<string, (route: Route) => unknown>, reducedMotion?: "reduce", at?: string,
 * }} OpenOptions `path` is that of another page than the viewer; `at` is another address of the server; `routes` replace
 *   answers of the server; `allowed` are console errors that the check provokes
 * @typedef {{ page: Page, faults: string[], requests: string[], violations: string[], end: () => Promise<void> }}
 *   Opened
 *   `violations` of the content security policy are faults as well; `end` closes the page
 * @typedef {(bench: Bench) => Promise<void>} Check
 * @typedef {[name: string, check: Check, beyondFirefox?: string]} NamedCheck the last is a feature that
 *   the check needs and Firefox's driver lacks, such as downloads: Firefox skips the check
 */
import { createHash } from "node:crypto";
import { access, mkdir } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { chromium, firefox } from "playwright-core";

/**
 * Chromium reads the last list only, so Playwright's features are listed first; the others would load three
 * additional pages of Chromium per page.
 */
const DISABLED_FEATURES = [
	"AimEnabled",
	"AvoidCorsURLLoaderRestartOnRedirect",
	"AvoidUnnecessaryBeforeUnloadCheckSync",
	"DestroyProfileOnBrowserClose",
	"HttpsFirstBalancedModeAutoEnable",
	"HttpsUpgrades",
	"LensOverlay",
	"MediaRouter",
	"NetworkTimeServiceQuerying",
	"OptimizationHints",
	"PaintHolding",
	"PreconnectToSearch",
	"ThirdPartyStoragePartitioning",

	"PreloadTopChromeWebUI",
	"SpareRendererForSitePerProcess",
	"WebUIOmniboxAimPopup",
	"WebUIOmniboxPopup",
];
export const FLAGS = [
	"--headless",
	"--no-sandbox",
	"--disable-gpu",
	"--disable-quic",
	"--no-first-run",
	"--disable-background-networking",
	"--disable-component-update",
	"--disable-sync",
	`--disable-features=${DISABLED_FEATURES}`,
];
const NAMES = ["chromium", "chromium-browser", "google-chrome"];
const IS_FIREFOX = process.env.CHRONOTILE_BROWSER === "firefox";
/** A precise mouse that hovers, which Firefox does not detect on a machine without one. */
const HAS_MOUSE = { "ui.primaryPointerCapabilities": 6, "ui.allPointerCapabilities": 6 };
/**
 * A wait ends as soon as its condition holds; this maximum is only reached if it never holds, or if the machine stalls.
 */
const TIMEOUT_MS = 60_000;

/**
 * Returns the first of these programs on the path.
 * @param {string[]} names
 * @param {(string | undefined)} [preferred] a place that is looked at before
 */
async function findProgram(names, preferred) {
	const folders = (process.env.PATH ?? "").split(delimiter);
	const places = folders.flatMap((folder) => names.map((name) => join(folder, name)));
	for (const place of [preferred, ...places]) {
		if (
			place &&
			(await access(place).then(
				() => true,
				() => false,
			))
		)
			return place;
	}
	throw new Error(`no ${names[0]} on the path; on Debian: apt install ${names[0]}`);
}

/** Returns the browser of CHRONOTILE_CHROMIUM, else the first one on the path. */
export const findChromium = () => findProgram(NAMES, process.env.CHRONOTILE_CHROMIUM);

const launch = async () =>
	IS_FIREFOX
		? firefox.launch({
				channel: "moz-firefox",
				executablePath: await findProgram(["firefox-esr"]),
				firefoxUserPrefs: HAS_MOUSE,
			})
		: chromium.launch({ executablePath: await findChromium(), args: FLAGS });

/**
 * Reuses contexts whose pages have ended, so that Chromium loads and compiles the viewer's modules once and not for
 * each page.
 * @param {Browser} browser
 */
function contextPool(browser) {
	/** @type {BrowserContext[]} */
	const idle = [];
	return {
		take: async () => idle.pop() ?? browser.newContext({ locale: "en-GB" }),
		/** @param {BrowserContext} context @param {Page} page @param {string} origin whose storage it may have filled */
		giveBack: async (context, page, origin) => {
			if (IS_FIREFOX) return context.close();
			const session = await context.newCDPSession(page);
			await session.send("Storage.clearDataForOrigin", { origin, storageTypes: "cookies,local_storage,indexeddb" });
			await context.clearPermissions();
			for (const each of context.pages()) await each.close();
			idle.push(context);
		},
	};
}

/** @typedef {ReturnType<typeof contextPool>} ContextPool */

/** @param {ContextPool} contexts @param {string} base @param {OpenOptions} options @returns {Promise<Opened>} */
async function openViewer(
	contexts,
	base,
	{ path = "viewer/", search = "", width = 1280, height = 800, scheme = "light", allowed, routes = {}, reducedMotion },
) {
	const context = await contexts.take();
	context.setDefaultTimeout(TIMEOUT_MS);
	const page = await context.newPage();
	await page.setViewportSize({ width, height });
	await page.emulateMedia({ colorScheme: scheme, reducedMotion });
	// A clock that a check sets would stay for the pages after it.
	let hasOwnClock = false;
	const { clock } = page;
	const get = () => {
		hasOwnClock = true;
		return clock;
	};
	Object.defineProperty(page, "clock", { get });
	/** @type {Opened} */
	const opened = {
		page,
		faults: [],
		requests: [],
		violations: [],
		end: () =>
			hasOwnClock || page.isClosed() ? context.close() : contexts.giveBack(context, page, new URL(base).origin),
	};
	await page.exposeFunction("reportViolation", (/** @type {string} */ what) => {
		opened.violations.push(what);
		opened.faults.push(`forbidden by the content security policy: ${what}`);
	});
	await page.addInitScript(() => {
		// If an answer is late, the viewer continues without it: on a busy machine no answer counts as late.
		AbortSignal.timeout = () => new AbortController().signal;
		document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI, sourceFile }) => {
			// The policy forbids the page to evaluate text: Firefox also reports code that the check evaluates.
			if (sourceFile?.endsWith("eval")) return;
			/** @type {any} */ (window).reportViolation(`${violatedDirective} ${blockedURI} in ${sourceFile}`);
		});
	});
	page.on("console", (message) => {
		if (message.type() !== "error" || allowed?.test(message.text())) return;
		opened.faults.push(`${message.text()} ${message.location().url}`);
	});
	page.on("pageerror", (error) => {
		// Firefox calls violations errors of the page too; they are reported above.
		if (!String(error).includes("Content-Security-Policy:")) opened.faults.push(String(error));
	});
	page.on("request", (request) => {
		const { protocol, origin, pathname } = new URL(request.url());
		// The browser requests the icon of its tab automatically, again after each change of the address.
		const isOfTab = pathname.endsWith("/icon.svg") && request.resourceType() === "other";
		if (!isOfTab) opened.requests.push(request.url());
		const isOwn = ["data:", "blob:"].includes(protocol) || origin === new URL(base).origin;
		if (!isOwn) opened.faults.push(`a request left for ${origin}`);
	});
	for (const [pattern, answer] of Object.entries(routes)) {
		await page.route((url) => new RegExp(pattern).test(url.pathname + url.search), answer);
	}
	await page.goto(new URL(`${path}${search}`, base).href);
	return opened;
}

/**
 * Runs the checks one after the other, and returns the number of failures.
 * @param {string} base @param {string} outDir @param {NamedCheck[]} checks
 */
export async function runChecks(base, outDir, checks) {
	const browser = await launch();
	const contexts = contextPool(browser);
	let failed = 0;
	for (const [name, check] of checks) {
		/** @type {Opened[]} */
		const all = [];
		const began = performance.now();
		const seconds = () => `${((performance.now() - began) / 1000).toFixed(1)} s`;
		const open = async (/** @type {OpenOptions} */ options = {}) => {
			const opened = await openViewer(contexts, options.at ?? base, options);
			all.push(opened);
			return opened;
		};
		try {
			await check({ base, outDir, open });
			const faults = all.flatMap((opened) => opened.faults);
			if (faults.length > 0) throw new Error(`the browser complained: ${faults.join(" | ")}`);
			console.log(`ok    ${seconds()} ${name}`);
		} catch (error) {
			failed += 1;
			const file = join(outDir, `failed-${failed}.png`);
			console.log(`FAIL  ${seconds()} ${name}: ${error instanceof Error ? error.message : error} (picture: ${file})`);
			await all.at(-1)?.page.screenshot({ path: file });
		}
		for (const { end } of all) await end();
	}
	await browser.close();
	return failed;
}

/** Message of the browser about an error response. */
export const FAILED_REQUEST = /Failed to load resource/;

/** Replaces the answer of the server. @param {unknown} body @returns {(route: Route) => unknown} */
export const answerJson = (body) => (route) =>
	route.fulfill({ contentType: "application/json", body: JSON.stringify(body) });

/**
 * Replaces the answer of the server by an error.
 * @param {number} status
 * @param {string} [detail]
 * @returns {(route: Route) => unknown}
 */
export const answerStatus =
	(status, detail = "Failed") =>
	(route) =>
		route.fulfill({
			status,
			contentType: "application/problem+json",
			body: JSON.stringify({ title: "Failed", status, detail }),
		});

/**
 * Runs the checks of a file that was called as `node FILE BASE_URL OUT_DIR [PART_OF_A_NAME]`, and exits: 0 if all
 * pass, 1 if one fails, 2 for wrong arguments. Pictures of failures are in OUT_DIR. With CHRONOTILE_CHECKS="SHARE
 * SEED" it runs a random fraction of them, but at least one.
 * @param {NamedCheck[]} checks
 */
export async function runAsCalled(checks) {
	const [base, outDir, part = ""] = process.argv.slice(2);
	const named = checks.filter(([name, , beyond]) => name.includes(part) && !(IS_FIREFOX && beyond));
	const [share = "1", seed] = process.env.CHRONOTILE_CHECKS?.split(" ") ?? [];
	/** @param {string} name @returns {number} from 0 to 1 */
	const draw = (name) => createHash("sha256").update(`${seed} ${name}`).digest().readUInt32BE() / 2 ** 32;
	const least = Math.min(...named.map(([name]) => draw(name)));
	const chosen = named.filter(([name]) => draw(name) <= Math.max(least, Number(share)));
	if (!base || !outDir || chosen.length === 0) {
		console.error("usage: node FILE BASE_URL OUT_DIR [PART_OF_A_NAME]");
		process.exit(2);
	}
	await mkdir(outDir, { recursive: true });
	process.exit((await runChecks(base, outDir, chosen)) > 0 ? 1 : 0);
}
