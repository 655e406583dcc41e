// The transport between AWS's runtime client and the Runtime API, in place of its native addon.
//
// The client does `require("./rapid-client.node")`. Node takes `rapid-client.node.js` where no file of the first name
// exists, so the official client's JavaScript stays as it was published, and nobody needs a C++ compiler.
// The interface is the addon's (src/rapid-client.cc): next() gives a promise of {bodyJson, headers}; done() and
// error() send and return. Rule: while a handler runs, nothing here keeps the event loop alive (the addon waits in a
// thread), or callbackWaitsForEmptyEventLoop and 'beforeExit' would never come.
"use strict";

const net = require("node:net");

const BASE = "/2018-06-01/runtime/invocation/";
const HEAD_END = Buffer.from("\r\n\r\n");
// what the addon always sets, and what it sets only where the service sent it
const ALWAYS = [
  "lambda-runtime-aws-request-id",
  "lambda-runtime-trace-id",
  "lambda-runtime-invoked-function-arn",
];
const SOMETIMES = [
  "lambda-runtime-client-context",
  "lambda-runtime-cognito-identity",
  "lambda-runtime-aws-tenant-id",
];

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const NEXT = Buffer.from(`GET ${BASE}next HTTP/1.1\r\nHost: ${host}\r\n\r\n`);

let socket = null;
let waiting = null; // the promise of next()
let unread = []; // chunks of answers that are not complete yet
let unreadBytes = 0;
let head = null; // of the answer whose body is being collected
let unacknowledged = 0; // answers to posts that stand before the answer to next

function connect() {
  socket = net.connect({ host, port: Number(port) });
  socket.setNoDelay(true);
  socket.on("data", onData);
  socket.on("error", () => {}); // 'close' follows and says so
  socket.on("close", onClose);
  socket.unref();
}

function onClose() {
  socket = null;
  unread = [];
  unreadBytes = 0;
  head = null;
  unacknowledged = 0;
  settle((call) => call.reject(new Error("Failed to get next invocation, error -1")));
}

function settle(how) {
  const call = waiting;
  waiting = null;
  if (call !== null) {
    how(call);
  }
}

function onData(chunk) {
  unread.push(chunk);
  unreadBytes += chunk.length;
  while (takeAnswer());
}

// One complete answer off the front of what has arrived; false when there is none.
function takeAnswer() {
  if (head === null) {
    if (unreadBytes === 0) {
      return false;
    }
    const bytes = unread.length === 1 ? unread[0] : Buffer.concat(unread);
    unread = [bytes];
    const end = bytes.indexOf(HEAD_END);
    if (end < 0) {
      return false;
    }
    head = parseHead(bytes.latin1Slice(0, end));
    rest(bytes, end + HEAD_END.length);
  }
  if (unreadBytes < head.length) {
    return false;
  }
  const bytes = unread.length === 1 ? unread[0] : Buffer.concat(unread);
  const answer = { ...head, body: bytes.utf8Slice(0, head.length) };
  rest(bytes, head.length);
  head = null;
  onAnswer(answer);
  return true;
}

function rest(bytes, from) {
  unread = from < bytes.length ? [bytes.subarray(from)] : [];
  unreadBytes = bytes.length - from;
}

function parseHead(text) {
  const lines = text.split("\r\n");
  const headers = {};
  for (let i = 1; i < lines.length; i++) {
    const colon = lines[i].indexOf(":");
    headers[lines[i].slice(0, colon).toLowerCase()] = lines[i].slice(colon + 1).trim();
  }
  return {
    status: Number(lines[0].split(" ", 2)[1]),
    headers,
    length: Number(headers["content-length"] ?? 0),
  };
}

function onAnswer({ status, headers, body }) {
  if (unacknowledged > 0) {
    unacknowledged--; // the addon does not look at these either
    return;
  }
  if (socket !== null) {
    socket.unref();
  }
  if (status !== 200) {
    settle((call) => call.reject(new Error(`Failed to get next invocation, error ${status}`)));
    return;
  }
  const given = { "lambda-runtime-deadline-ms": Number(headers["lambda-runtime-deadline-ms"]) };
  for (const name of ALWAYS) {
    given[name] = headers[name] ?? "";
  }
  for (const name of SOMETIMES) {
    if (headers[name]) {
      given[name] = headers[name];
    }
  }
  settle((call) => call.resolve({ bodyJson: body, headers: given }));
}

function post(id, what, body, more) {
  if (socket === null) {
    connect();
  }
  unacknowledged++;
  const start =
    `POST ${BASE}${id}/${what} HTTP/1.1\r\nHost: ${host}\r\n` +
    `Content-Type: application/json\r\n${more}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
  // One write: libuv tries it at once, so that it has left even if the process exits next.
  socket.write(start + body);
}

exports.next = () =>
  new Promise((resolve, reject) => {
    if (socket === null) {
      connect();
    }
    waiting = { resolve, reject };
    socket.ref();
    socket.write(NEXT);
  });

exports.done = (id, body) => {
  post(id, "response", body, "");
  return null;
};

exports.error = (id, body, xray) => {
  // Header values must stay on one line; the cause is JSON, so its line breaks are escaped already.
  const cause = xray && xray.length < 1 << 16 ? `Lambda-Runtime-Function-XRay-Error-Cause: ${xray}\r\n` : "";
  post(id, "error", body, typeHeader(body) + cause);
  return null;
};

function typeHeader(body) {
  const type = /"errorType":"([A-Za-z.]+)"/.exec(body);
  return type ? `Lambda-Runtime-Function-Error-Type: ${type[1]}\r\n` : "";
}
