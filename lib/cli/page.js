'use strict';
// j and k go from query to query (or pair to pair), the arrow keys from card to card. The page is complete without this.
addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const queries = [...document.querySelectorAll('.query, .match')];
  const here = document.activeElement;
  const card = here.closest('.card');
  const step = { j: 1, k: -1 }[event.key];
  if (step) {
    let at = queries.indexOf(here.closest('.query, .match'));
    if (at < 0) at = queries.findLastIndex((query) => query.getBoundingClientRect().top <= 20);
    const next = queries[Math.min(Math.max(at + step, 0), queries.length - 1)];
    if (!next) return;
    next.focus({ preventScroll: true });
    next.scrollIntoView();
    return;
  }
  if (!card) return;
  const cards = [...card.parentElement.children];
  const columns = cards.findIndex((other) => other.offsetTop > cards[0].offsetTop);
  const move = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
  const next = move && columns !== 0 ? cards[cards.indexOf(card) + move] : undefined;
  if (!next) return;
  event.preventDefault();
  card.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
});
