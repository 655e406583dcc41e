// The leak that was none: every invocation appends 10 MB to a file in /tmp and leaves it there.
//
// /tmp outlives the invocation in a warm environment, and what is written there counts as memory. So Max Memory Used
// climbs 10 MB with each call, although the heap does not grow by a byte. Callback style: Node.js 22 and earlier.
"use strict";

const fs = require("fs");

const TEN_MEGABYTES = Buffer.alloc(10 * 1024 * 1024, "x");

exports.handler = (event, context, callback) => {
  fs.appendFile("/tmp/test", TEN_MEGABYTES, (error) => {
    if (error) {
      callback(error); // ENOSPC, once /tmp is full
      return;
    }
    callback(null, { bytes: fs.statSync("/tmp/test").size });
  });
};
