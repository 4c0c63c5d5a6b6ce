'use strict';
/* The blind test, and the rolls of all samples. */
(function () {
  const { element, playButton, stop } = genremill;
  const test = genremill.data('test');
  const packed = genremill.data('music');
  const KEY = `genremill-listen-${test.key}`;
  const SIDES = ['left', 'right'];
  const WORDS = { left: 'the first', right: 'the second' };
  const COLUMNS = ['pair', 'genre', 'model', 'left', 'right', 'answer', 'liked', 'correct', 'seconds'];
  const Z = 1.959964; // of a normal distribution, for 95 %

  const truths = test.pairs.map((pair) => {
    const bytes = Uint8Array.from(atob(pair.truth), (sign) => sign.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  });

  /* ---- answers: {answer, liked, seconds} for each pair, in its order ---- */

  let answers = load();
  function load() {
    try {
      const kept = JSON.parse(localStorage.getItem(KEY));
      return Array.isArray(kept) ? kept.slice(0, test.pairs.length) : [];
    } catch { return []; }
  }
  function save() {
    try { localStorage.setItem(KEY, JSON.stringify(answers)); } catch { /* not kept, then */ }
  }
  const isCorrect = (index) => answers[index].answer === truths[index].person;

  /* Wilson's interval of a share, 95 %. */
  function wilson(hits, count) {
    if (!count) return [0, 1];
    const share = hits / count;
    const scale = 1 + (Z * Z) / count;
    const middle = (share + (Z * Z) / (2 * count)) / scale;
    const wide = (Z / scale) * Math.sqrt((share * (1 - share)) / count + (Z * Z) / (4 * count * count));
    return [Math.max(0, middle - wide), Math.min(1, middle + wide)];
  }

  function rows() {
    return answers.map(({ answer, liked, seconds }, index) => {
      const { genre, left, right } = truths[index];
      return [index + 1, genre, test.model, left, right, answer, liked, isCorrect(index) ? 1 : 0, seconds];
    });
  }
  /* A spreadsheet takes a cell that begins like this for a formula. */
  function cell(value) {
    const text = String(value).replace(/^(?=[=+\-@\t\r])/, "'");
    return /[",\r\n']/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }
  const csv = () => [COLUMNS, ...rows()].map((row) => row.map(cell).join(',')).join('\r\n') + '\r\n';

  function saveButton() {
    const link = button(`Save ${answers.length} answers as CSV`, () => {
      const address = URL.createObjectURL(new Blob([csv()], { type: 'text/csv;charset=utf-8' }));
      element('a', { href: address, download: `listening-${test.model}.csv` }).click();
      setTimeout(() => URL.revokeObjectURL(address), 10000);
    });
    link.disabled = !answers.length;
    return link;
  }

  /* ---- what is shown ---- */

  const box = document.getElementById('test');
  const paragraph = (text, kind = '') => element('p', kind ? { class: kind } : {}, text);
  function button(text, act, kind = '') {
    const made = element('button', { type: 'button', class: kind }, text);
    made.addEventListener('click', act);
    return made;
  }
  let keys = {};
  function show(...children) {
    stop();
    box.replaceChildren(element('div', { class: 'card' }, ...children));
  }

  function begin() {
    keys = {};
    const words = answers.length ? 'Go on' : 'Begin';
    show(
      paragraph('Listen to both as often as you like; no name is shown before you have answered.'),
      element('p', {}, 'Keys: ', ...['1', '2'].flatMap((key) => [element('kbd', {}, key), ' ']),
        'play, ', element('kbd', {}, 'A'), ' ', element('kbd', {}, 'B'), ' answer, ',
        element('kbd', {}, 'N'), ' next.'),
      paragraph(answers.length ? `${answers.length} of ${test.pairs.length} are answered.` : ''),
      button(words, next, 'main'), ' ', saveButton(),
    );
  }

  function next() {
    if (answers.length < test.pairs.length) ask(answers.length);
    else finish();
  }

  function progress(index, done) {
    return [
      element('p', { class: 'small soft' }, `Pair ${index + 1} of ${test.pairs.length}: ${truths[index].genre}`),
      element('progress', { value: done, max: test.pairs.length, 'aria-label': 'answered pairs' }),
    ];
  }

  function side(index, which, canvas) {
    const player = playButton(test.pairs[index][which], { label: WORDS[which], canvas });
    return element('div', {}, element('h4', {}, which === 'left' ? 'First' : 'Second'), ...(canvas ? [canvas] : []), player);
  }

  function likes(index) {
    const choices = [['', 'neither'], ['left', WORDS.left], ['right', WORDS.right]];
    const labels = choices.map(([value, words]) => {
      const input = element('input', { type: 'radio', name: 'liked', value });
      input.checked = value === '';
      return element('label', {}, input, words);
    });
    return element('fieldset', {}, element('legend', {}, 'Which do you like more? (optional)'), ...labels);
  }

  function ask(index) {
    const shownAt = performance.now();
    const sides = SIDES.map((which) => side(index, which, null));
    const choose = (which) => {
      const liked = box.querySelector('input[name=liked]:checked').value;
      const seconds = Math.round((performance.now() - shownAt) / 100) / 10;
      answers.push({ answer: which, liked, seconds });
      save();
      tell(index);
    };
    const choices = SIDES.map((which) => button(WORDS[which], () => choose(which), 'main'));
    show(
      ...progress(index, index),
      element('div', { class: 'two' }, ...sides),
      likes(index),
      element('fieldset', {}, element('legend', {}, 'Which one was made by a person?'),
        element('div', { class: 'answers' }, ...choices)),
    );
    const plays = sides.map((made) => made.querySelector('button'));
    keys = { 1: () => plays[0].click(), 2: () => plays[1].click(), a: () => choose('left'), b: () => choose('right') };
    plays[0].focus({ preventScroll: true });
  }

  function tell(index) {
    const truth = truths[index];
    const verdict = element('p', { class: isCorrect(index) ? 'right' : 'wrong', role: 'status' },
      isCorrect(index) ? 'Right.' : 'Wrong.', ` A person made ${WORDS[truth.person]}.`);
    const onward = button(index + 1 < test.pairs.length ? 'Next pair' : 'Result', next, 'main');
    const sides = SIDES.map((which) => {
      const made = side(index, which, element('canvas', { class: 'roll', 'aria-label': `Piano roll of ${truth[which]}` }));
      made.append(paragraph(`${which === truth.person ? 'Real' : 'Sample'}: ${truth[which]}`, 'small'));
      return made;
    });
    show(...progress(index, index + 1), verdict, element('div', { class: 'two' }, ...sides), onward);
    keys = { n: next };
    onward.focus({ preventScroll: true });
  }

  const percent = (share) => `${Math.round(100 * share)} %`;
  function told(hits, count) {
    const [low, high] = wilson(hits, count);
    return `${hits} of ${count} (${percent(hits / count)}; 95 % interval ${percent(low)} to ${percent(high)})`;
  }

  function finish() {
    keys = {};
    const count = answers.length;
    const hits = answers.filter((_, index) => isCorrect(index)).length;
    const [low, high] = wilson(hits, count);
    const verdict = low > 0.5 ? 'You can tell them apart.'
      : high < 0.5 ? 'You took samples for real music more often than not.'
        : 'That is not to be told from guessing, which gives 50 %.';
    const liking = answers.map(({ liked }, index) => ({ liked, person: truths[index].person })).filter(({ liked }) => liked);
    const samples = liking.filter(({ liked, person }) => liked !== person).length;
    const genres = [...new Set(truths.map(({ genre }) => genre))];
    const byGenre = genres.map((genre) => {
      const mine = answers.map((_, index) => index).filter((index) => truths[index].genre === genre);
      return element('li', {}, `${genre}: ${told(mine.filter(isCorrect).length, mine.length)}`);
    });
    show(
      element('p', { class: 'big', role: 'status' }, `Right: ${told(hits, count)}`),
      paragraph(verdict),
      ...(genres.length > 1 ? [element('ul', {}, ...byGenre)] : []),
      ...(liking.length ? [paragraph(`The sample was liked more in ${told(samples, liking.length)}.`)] : []),
      saveButton(), ' ', button('Begin anew', () => { answers = []; save(); begin(); }),
    );
  }

  document.addEventListener('keydown', (event) => {
    const act = keys[event.key.toLowerCase()];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });

  if (box) {
    if (answers.length && answers.length === test.pairs.length) finish();
    else begin();
  }

  document.querySelectorAll('.sound').forEach((place) => {
    const canvas = place.querySelector('canvas');
    place.append(playButton(packed[Number(place.dataset.music)], { label: place.dataset.name, canvas }));
  });
})();
