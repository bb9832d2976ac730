// Draws the formulas that Sphinx wrote as \(...\) and \[...\], and helps those who listen or have no mouse.
document.addEventListener("DOMContentLoaded", () => {
  for (const element of document.querySelectorAll(".math")) {
    const source = element.textContent.trim();
    const display = source.startsWith("\\[");
    if (display || source.startsWith("\\(")) {
      katex.render(source.slice(2, -2), element, {displayMode: display, throwOnError: false});
    }
  }
  for (const caption of document.querySelectorAll(".caption[role=heading]")) {
    caption.setAttribute("aria-level", "2");
  }
  for (const wide of document.querySelectorAll("pre, .katex-display, .table-wrapper")) {
    wide.tabIndex = 0;   // what scrolls must be reached by the keyboard
  }
});
