/**
 * A slow line before a server, which counts the bytes to the client. Unlike the emulation of the browser's developer
 * tools it also affects workers, and all connections share its rate.
 *
 * @typedef {{ base: string, bytes: (until?: number) => number, close: () => Promise<void> }} Link
 */
import { connect, createServer } from "node:net";

/** Bytes of one connection before the others have a turn. */
const WINDOW_BYTES = 64 * 1024;
const MEGABIT_BYTES = 125_000;
export const NEAR = { latencyMs: 0, megabits: Number.POSITIVE_INFINITY };
/** The line of the viewer's goals. */
export const FAR = { latencyMs: 50, megabits: 20 };

/** Opens the line. `bytes` counts bytes to the client, in total or until a moment (ms since 1970). @param {number} port of the server @param {{ latencyMs: number, megabits: number }} line there and back, and down @returns {Promise<Link>} */
export async function openLink(port, { latencyMs, megabits }) {
	let free = 0;
	/** @type {{ ms: number, bytes: number }[]} */
	const came = [];
	const oneWayMs = latencyMs / 2;
	/** @type {Set<import("node:net").Socket>} */
	const sockets = new Set();
	const proxy = createServer((browser) => {
		const server = connect(port, "127.0.0.1");
		for (const socket of [browser, server]) {
			sockets.add(socket);
			socket.setNoDelay(true);
			socket.on("error", () => {});
		}
		const later = (/** @type {() => void} */ run, /** @type {number} */ ms) =>
			ms < 1 ? run() : void setTimeout(run, ms);
		browser.on("data", (chunk) => later(() => server.write(chunk), oneWayMs));
		browser.on("close", () => server.destroy());
		let waiting = 0;
		server.on("data", (chunk) => {
			const now = performance.now();
			free = Math.max(now, free) + (chunk.length / (megabits * MEGABIT_BYTES)) * 1000;
			waiting += chunk.length;
			if (waiting > WINDOW_BYTES) server.pause();
			later(
				() => {
					came.push({ ms: Date.now(), bytes: chunk.length });
					waiting -= chunk.length;
					browser.write(chunk);
					if (waiting <= WINDOW_BYTES) server.resume();
				},
				free - now + oneWayMs,
			);
		});
		server.on("close", () => later(() => browser.end(), Math.max(0, free - performance.now()) + oneWayMs));
	});
	await new Promise((resolve) => proxy.listen(0, "127.0.0.1", () => resolve(null)));
	const { port: own } = /** @type {import("node:net").AddressInfo} */ (proxy.address());
	const close = () =>
		new Promise((resolve) => {
			for (const socket of sockets) socket.destroy();
			proxy.close(() => resolve(undefined));
		});
	const bytes = (until = Number.POSITIVE_INFINITY) =>
		came.reduce((sum, each) => sum + (each.ms <= until ? each.bytes : 0), 0);
	return { base: `http://127.0.0.1:${own}/`, bytes, close: /** @type {() => Promise<void>} */ (close) };
}
