// Shows what a deployment does as soon as a field is changed. Without it, a button asks for the same.
(() => {
  "use strict";
  const form = document.querySelector("form[data-effect]");
  if (!form) return;
  let asked = 0;
  // What was wrong is taken away and what is wrong now is put beside its field; the reason is judged by the button alone.
  const say = (page) => {
    for (const one of form.querySelectorAll('.wrong:not([id="wrong-reason"])')) one.remove();
    for (const one of form.querySelectorAll('[aria-invalid]:not([name="reason"])')) {
      one.removeAttribute("aria-invalid");
      one.removeAttribute("aria-describedby");
    }
    for (const theirs of page.querySelectorAll("form[data-effect] [aria-invalid]")) {
      const wrong = page.getElementById(theirs.getAttribute("aria-describedby"));
      const field = form.elements[theirs.name];
      field.setAttribute("aria-invalid", "true");
      field.setAttribute("aria-describedby", wrong.id);
      field.parentElement.append(wrong);
    }
  };
  const look = async () => {
    const mine = ++asked;
    const fields = new URLSearchParams(new FormData(form));
    fields.set("act", "look");
    const answer = await fetch(form.getAttribute("action"), { method: "POST", body: fields });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const effect = page.getElementById("effect");
    if (mine !== asked || !effect) return;
    say(page);
    document.getElementById("effect").replaceChildren(...effect.childNodes);
  };
  form.addEventListener("change", (event) => {
    if (event.target.name !== "reason") look().catch(() => {});
  });
})();
