// Runs before the first paint, so that a chosen theme doesn't flash the other one. A classic script for that reason.
(() => {
  try {
    const theme = localStorage.getItem("leadwire.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage is switched off: the system's theme it is.
  }
})();
