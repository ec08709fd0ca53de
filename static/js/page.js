// After wrong input the first field to put right has the focus, or what is said above the form.
"use strict";

function lookAtWrong() {
  const wrong =
    document.querySelector("main [aria-invalid=true]") ??
    document.querySelector("main .errorlist.nonfield, main .problems");
  if (!wrong) return;
  if (!wrong.matches("input, select, textarea")) wrong.tabIndex = -1;
  wrong.focus();
  if (wrong.matches("input[type=text], input[type=number], input[type=email]")) wrong.select();
}

lookAtWrong();
