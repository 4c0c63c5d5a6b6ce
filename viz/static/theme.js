'use strict';
/* Dark or light: as the system has it, unless the reader has pressed the button. */
(function () {
  const KEY = 'genremill-theme';
  const root = document.documentElement;

  function remembered() {
    try { return localStorage.getItem(KEY); } catch { return null; }
  }
  function remember(theme) {
    try { localStorage.setItem(KEY, theme); } catch { /* a page may be shown without storage */ }
  }
  function isDark() {
    if (root.dataset.theme) return root.dataset.theme === 'dark';
    return matchMedia('(prefers-color-scheme: dark)').matches;
  }
  function tell() { document.dispatchEvent(new CustomEvent('themechange')); }
  function show() {
    const button = document.getElementById('theme');
    button.setAttribute('aria-label', isDark() ? 'Light colors' : 'Dark colors');
    button.title = button.getAttribute('aria-label');
  }

  if (['dark', 'light'].includes(remembered())) root.dataset.theme = remembered();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { show(); tell(); });
  document.addEventListener('DOMContentLoaded', () => {
    show();
    document.getElementById('theme').addEventListener('click', () => {
      root.dataset.theme = isDark() ? 'light' : 'dark';
      remember(root.dataset.theme);
      show();
      tell();
    });
  });
})();
