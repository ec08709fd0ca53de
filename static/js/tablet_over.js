// Thanks stay a while, then the tablet waits for the next client.
"use strict";

const then = document.querySelector("[data-then]");
if (then) setTimeout(() => location.assign(then.dataset.then), 12000);
