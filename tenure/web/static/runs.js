// What the pages of runs can do beyond forms and links. All of it works without this file.
(() => {
  "use strict";

  // Long lists of choices can be narrowed by typing.
  for (const field of document.querySelectorAll("[data-narrow]")) {
    const list = document.getElementById(field.dataset.narrow);
    if (!list) continue;
    field.closest("label").hidden = list.querySelectorAll("li, tr").length < 12;
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const item of list.querySelectorAll("li, tr")) {
        const text = item.textContent.toLowerCase();
        item.hidden = !words.every((word) => text.includes(word));
      }
      for (const group of list.querySelectorAll("fieldset")) group.hidden = !group.querySelector("li:not([hidden])");
    });
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") event.preventDefault(); // narrowing is not asking yet
    });
  }

  // Runs that are ticked: how many, all at once, a range with Shift; what needs two waits for two.
  for (const form of document.querySelectorAll("[data-chooser]")) {
    const boxes = [...form.querySelectorAll("input[name=run]")];
    const all = form.querySelector("[data-all]");
    const told = form.querySelector("[data-chosen-count]");
    const first = told?.textContent;
    let last = null;
    const tell = () => {
      const count = boxes.filter((box) => box.checked).length;
      if (told) told.textContent = count ? `${count} ticked` : first;
      for (const button of form.querySelectorAll("[data-needs]")) button.disabled = count < Number(button.dataset.needs);
      if (all) {
        all.checked = count === boxes.length;
        all.indeterminate = count > 0 && count < boxes.length;
      }
    };
    if (all) {
      all.hidden = false;
      all.addEventListener("change", () => {
        for (const box of boxes) box.checked = all.checked;
        tell();
      });
    }
    boxes.forEach((box, place) => {
      box.addEventListener("click", (event) => {
        if (event.shiftKey && last !== null) {
          const [low, high] = [Math.min(last, place), Math.max(last, place)];
          for (const between of boxes.slice(low, high + 1)) between.checked = box.checked;
        }
        last = place;
        tell();
      });
    });
    window.addEventListener("pageshow", tell); // ticks come back with the page
    tell();
  }

  // Empty fields say nothing: an address without them is easier to read and to send.
  for (const form of document.querySelectorAll("form[method=get]")) {
    form.addEventListener("formdata", (event) => {
      for (const [name, value] of [...event.formData.entries()]) if (value === "") event.formData.delete(name);
    });
  }
})();
