// A program that uses the client library in Node: says which leads it is handed, and how its connection stands.
//   HUB=ws://… TOKEN=… node program.mjs <the library>
import { randomBytes } from "node:crypto";
import { request } from "node:http";
import { pathToFileURL } from "node:url";

/** As much of a WebSocket as the library needs, for versions of Node that have none of their own. */
class Socket {
  readyState = 0;
  #stream = null;
  #pending = Buffer.alloc(0);
  #asked;

  constructor(url, protocols) {
    const { hostname: host, port, pathname: path } = new URL(url);
    const headers = {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": randomBytes(16).toString("base64"),
      "sec-websocket-protocol": protocols.join(", "),
    };
    this.#asked = request({ host, port, path, headers, agent: false });
    this.#asked.on("error", () => this.#end(1006));
    this.#asked.on("response", (answer) => {
      answer.resume();
      this.#end(1006);
    });
    this.#asked.on("upgrade", (_, stream, first) => {
      stream.on("error", () => {});
      stream.on("close", () => this.#end(1006));
      if (this.readyState > 1) return stream.destroy();
      this.#stream = stream;
      this.readyState = 1;
      this.onopen?.();
      stream.on("data", (data) => this.#take(data));
      this.#take(first);
    });
    this.#asked.end();
  }

  send(text) {
    this.#write(1, Buffer.from(text));
  }

  close() {
    if (this.readyState > 1) return;
    this.readyState = 2;
    if (this.#stream) this.#write(8, Buffer.from([3, 232]));
    (this.#stream ?? this.#asked).destroy();
  }

  #write(opcode, payload) {
    const length = payload.length < 126 ? [payload.length] : [126, payload.length >> 8, payload.length & 255];
    length[0] |= 128;
    // The mask is zero, which leaves the payload as it is.
    this.#stream?.write(Buffer.concat([Buffer.from([128 | opcode, ...length, 0, 0, 0, 0]), payload]));
  }

  #take(data) {
    this.#pending = Buffer.concat([this.#pending, data]);
    for (;;) {
      const all = this.#pending;
      if (all.length < 2) return;
      const short = all[1] & 127;
      const head = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (all.length < head) return;
      const length = short < 126 ? short : short === 126 ? all.readUInt16BE(2) : Number(all.readBigUInt64BE(2));
      if (all.length < head + length) return;
      const payload = all.subarray(head, head + length);
      this.#pending = all.subarray(head + length);
      const opcode = all[0] & 15;
      if (opcode === 1) this.onmessage?.({ data: payload.toString() });
      if (opcode === 9) this.#write(10, payload);
      if (opcode === 8) return this.#end(payload.length > 1 ? payload.readUInt16BE(0) : 1005);
    }
  }

  #end(code) {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.#stream?.destroy();
    this.onclose?.({ code, reason: "" });
  }
}

globalThis.WebSocket = Socket;
const { connect } = await import(pathToFileURL(process.argv[2]));
const hub = connect(process.env.HUB, { token: process.env.TOKEN });
hub.on("status", ({ state }) => console.log(`state ${state}`));
hub.on("subscribed", () => console.log("subscribed"));
hub.on("resync", ({ reason }) => console.log(`resync ${reason}`));
hub.on("new_lead", ({ lead }) => console.log(`lead ${lead.name}`));
hub.subscribe("dashboard");
