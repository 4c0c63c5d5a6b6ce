'use strict';
/* The crossover's picture: plotly draws, everything that strangers wrote is set as text here. */
(function () {
  const { data, element, playButton, legend } = window.genremill;
  const $ = (id) => document.getElementById(id);
  const all = data('crossover');
  const { families, names, points } = all;
  const isMany = names.length > all.many;
  const MAX_HITS = 12;
  const MAX_NEAR = 20;
  const SVG_POINTS = 3000; // as many as a browser without WebGL is given
  const AXES = {
    tsne2: ['tsne_x', 'tsne_y'], pca2: ['pca_x', 'pca_y'],
    tsne3: ['tsne3_x', 'tsne3_y', 'tsne3_z'], pca3: ['pca_x', 'pca_y', 'pca_z'],
  };
  const START = { method: 'tsne', size: '2', paint: 'family' };
  const view = { ...START, hidden: new Set(), chosen: -1 };
  const cache = { theme: '', fade: null, spots: new Map() };
  let groups = [];
  let plotly = null;
  let pointer = { x: 0, y: 0 };

  /* ---- colors ---- */

  const isDark = () => getComputedStyle(document.documentElement).colorScheme === 'dark';
  const variable = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const colorOf = (family) => family[cache.theme];

  function cubes(matrix, vector, power) {
    return matrix.map((row) => {
      const sum = row.reduce((total, factor, at) => total + factor * vector[at], 0);
      return power === 3 ? sum ** 3 : power ? Math.cbrt(sum) : sum;
    });
  }
  // Björn Ottosson's OKLab, as in viz/colors.py.
  const TO_LMS = [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566], [0.0883024619, 0.2817188376, 0.6299787005]];
  const TO_LAB = [[0.2104542553, 0.793617785, -0.0040720468], [1.9779984951, -2.428592205, 0.4505937099], [0.0259040371, 0.7827717662, -0.808675766]];
  const FROM_LAB = [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.291485548]];
  const FROM_LMS = [[4.0767416621, -3.3077115913, 0.2309699292], [-1.2684380046, 2.6097574011, -0.3413193965], [-0.0041960863, -0.7034186147, 1.707614701]];

  function oklab(color) {
    const linear = [1, 3, 5].map((at) => {
      const value = parseInt(color.slice(at, at + 2), 16) / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return cubes(TO_LAB, cubes(TO_LMS, linear, 1 / 3));
  }
  function hex(lab) {
    const linear = cubes(FROM_LMS, cubes(FROM_LAB, lab, 3));
    return `#${linear.map((raw) => {
      const value = Math.min(Math.max(raw, 0), 1);
      const level = value <= 0.0031308 ? value * 12.92 : 1.055 * value ** (1 / 2.4) - 0.055;
      return Math.round(level * 255).toString(16).padStart(2, '0');
    }).join('')}`;
  }
  function faded() {
    if (!cache.fade) {
      const labs = families.map((family) => oklab(colorOf(family)));
      const seen = new Map();
      cache.fade = all.shares.map((shares) => {
        const key = shares.join();
        if (!seen.has(key)) seen.set(key, hex(mixed(shares, labs)));
        return seen.get(key);
      });
    }
    return cache.fade;
  }
  function mixed(shares, labs) {
    const sum = [0, 0, 0];
    let total = 0;
    for (let at = 0; at < shares.length; at += 2) {
      labs[shares[at]].forEach((value, axis) => { sum[axis] += value * shares[at + 1]; });
      total += shares[at + 1];
    }
    return sum.map((value) => value / (total || 1));
  }

  /* ---- the picture ---- */

  const hasWebgl = (function () {
    try {
      const canvas = document.createElement('canvas');
      return Boolean(canvas.getContext('webgl') || canvas.getContext('experimental-webgl'));
    } catch { return false; }
  })();

  async function loadPlotly() {
    const bytes = Uint8Array.from(atob(data('plotly')), (sign) => sign.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
    const script = document.createElement('script');
    script.textContent = await new Response(stream).text();
    document.head.append(script);
    script.remove();
    return window.Plotly;
  }

  /* Which artists are a trace: those of a family, thinned out where the browser has no WebGL. */
  function makeGroups() {
    const step = isMany && !hasWebgl ? Math.ceil(names.length / SVG_POINTS) : 1;
    groups = families.map(() => []);
    all.family.forEach((family, artist) => { if (artist % step === 0) groups[family].push(artist); });
    if (step > 1) {
      $('said').textContent = `This browser has no WebGL: one of ${step} artists is drawn. The search finds all.`;
    }
  }

  const axes = () => AXES[view.method + view.size];
  const column = (name, artists) => Float32Array.from(artists, (artist) => points[name][artist]);
  const pointSize = () => Math.min(view.size === '3' ? 6 : 10, Math.max(view.size === '3' ? 2.5 : 4, 170 / Math.sqrt(names.length)));

  function trace(artists, family) {
    const size = pointSize() * (family === families.length - 1 ? 0.75 : 1);
    const [x, y, z] = axes();
    const solid = view.size === '3';
    const shape = families[family];
    return {
      type: solid ? 'scatter3d' : isMany && hasWebgl ? 'scattergl' : 'scatter',
      mode: 'markers', name: shape.name, hoverinfo: 'none', visible: !view.hidden.has(family),
      x: column(x, artists), y: column(y, artists), ...(solid ? { z: column(z, artists) } : {}),
      marker: {
        size, symbol: solid ? shape.solid : shape.symbol,
        color: view.paint === 'fade' ? artists.map((artist) => faded()[artist]) : colorOf(shape),
        line: { width: isMany ? 0 : 0.6, color: variable('ink') }, opacity: isMany ? 0.85 : 1,
      },
    };
  }

  function ring() {
    const [x, y, z] = axes();
    const artists = view.chosen < 0 ? [] : [view.chosen];
    const solid = view.size === '3';
    return {
      type: solid ? 'scatter3d' : 'scatter', mode: 'markers', hoverinfo: 'skip', name: 'chosen',
      x: column(x, artists), y: column(y, artists), ...(solid ? { z: column(z, artists) } : {}),
      marker: { symbol: 'circle-open', size: pointSize() + 10, color: variable('now'), line: { width: 3, color: variable('now') } },
    };
  }

  function traces() {
    const drawn = families.map((_, family) => family).filter((family) => groups[family].length);
    drawn.unshift(...drawn.splice(drawn.indexOf(families.length - 1), 1)); // the rest lies beneath
    view.drawn = drawn;
    return [...drawn.map((family) => trace(groups[family], family)), ring()];
  }

  const WORDS = ['first', 'second', 'third'];

  function layout() {
    const axis = (at) => ({
      title: { text: view.method === 'pca' ? `${WORDS[at]} principal component` : '', font: { size: 12 } },
      gridcolor: variable('grid'), zerolinecolor: variable('line'), linecolor: variable('line'),
      color: variable('soft'), showbackground: false, showspikes: false,
    });
    return {
      font: { family: 'system-ui, sans-serif', color: variable('soft'), size: 11 },
      modebar: { bgcolor: 'rgba(0,0,0,0)', color: variable('soft'), activecolor: variable('accent') },
      paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)', showlegend: false,
      hovermode: view.size === '3' ? 'closest' : false, uirevision: view.method + view.size,
      margin: view.size === '3' ? { l: 0, r: 0, t: 0, b: 0 } : { l: 44, r: 12, t: 30, b: 40 },
      dragmode: view.size === '3' ? 'orbit' : 'pan',
      xaxis: axis(0), yaxis: axis(1), scene: { xaxis: axis(0), yaxis: axis(1), zaxis: axis(2), aspectmode: 'cube' },
    };
  }

  const SETTINGS = {
    displaylogo: false, responsive: true, scrollZoom: true, displayModeBar: true, showTips: false,
    modeBarButtonsToRemove: ['sendChartToCloud', 'select2d', 'lasso2d', 'autoScale2d', 'hoverClosest3d', 'resetCameraLastSave3d', 'tableRotation'],
    toImageButtonOptions: { filename: 'crossover', scale: 2 },
  };

  async function draw() {
    const solid = view.size === '3';
    $('flat').hidden = solid;
    $('solid').hidden = !solid;
    const place = solid ? $('solid') : $('flat');
    place.setAttribute('aria-label', `${view.method === 'pca' ? 'PCA' : 't-SNE'} of ${names.length} artists in ${view.size} dimensions; the search box finds each of them`);
    if (solid && !hasWebgl) return sayNoWebgl(place);
    const isNew = !place.classList.contains('js-plotly-plot');
    await plotly.react(place, traces(), layout(), SETTINGS);
    if (isNew) listen(place);
    cache.spots = spots();
    document.documentElement.dataset.drawn = view.method + view.size + view.paint;
  }

  function sayNoWebgl(place) {
    const link = element('a', { href: 'crossover.png' }, 'crossover.png');
    place.replaceChildren(element('p', { class: 'soft' }, 'Three dimensions need WebGL, which this browser does not have. ', link, ', beside this page, shows them.'));
  }

  /* In 3-D plotly says what is beneath the mouse. In 2-D we look ourselves: plotly waits 50 ms. */
  function listen(place) {
    if (place.id === 'flat') return;
    const artistAt = (event) => {
      const hit = event.points.find((point) => point.curveNumber < view.drawn.length);
      return hit ? groups[view.drawn[hit.curveNumber]][hit.pointNumber] : -1;
    };
    place.on('plotly_hover', (event) => { over = artistAt(event); if (over >= 0) showTip(over); });
    place.on('plotly_unhover', () => { over = -1; hideTip(); });
  }

  let over = -1; // in 3-D
  const REACH = 14; // pixels

  /* The artist whose point is nearest to a place of the window; -1 where none is near. */
  function nearest(x, y) {
    const { _fullLayout: full } = $('flat');
    if (view.size === '3') return over;
    if (!full) return -1;
    const box = $('flat').getBoundingClientRect();
    const line = (axis, at) => [axis.l2p(1) - axis.l2p(0), axis.l2p(0) + axis._offset - at];
    const [xScale, xStart] = line(full.xaxis, x - box.left);
    const [yScale, yStart] = line(full.yaxis, y - box.top);
    const [xs, ys] = axes().map((name) => points[name]);
    let best = -1;
    let least = REACH ** 2;
    for (const family of view.drawn) {
      if (view.hidden.has(family)) continue;
      for (const artist of groups[family]) {
        const apart = (xScale * xs[artist] + xStart) ** 2 + (yScale * ys[artist] + yStart) ** 2;
        if (apart < least) { least = apart; best = artist; }
      }
    }
    return best;
  }

  function pointAt(event) {
    pointer = { x: event.clientX, y: event.clientY };
    if (view.size === '3') return;
    const artist = event.buttons || event.target.closest('.modebar') ? -1 : nearest(pointer.x, pointer.y);
    $('flat').classList.toggle('over', artist >= 0);
    if (artist >= 0) showTip(artist);
    else hideTip();
  }

  let pressed = null;

  function press(event) { pressed = event.target.closest('.modebar') ? null : { x: event.clientX, y: event.clientY }; }

  function release(event) {
    const began = pressed;
    pressed = null;
    if (!began || Math.hypot(event.clientX - began.x, event.clientY - began.y) > 4) return;
    const artist = nearest(event.clientX, event.clientY);
    if (artist >= 0) choose(artist);
  }

  function hideTip() { $('tip').hidden = true; }

  /* ---- artists on one spot ---- */

  const spotOf = (artist) => axes().map((name) => points[name][artist]).join();

  function spots() {
    const found = new Map();
    names.forEach((_, artist) => {
      const spot = spotOf(artist);
      if (found.has(spot)) found.get(spot).push(artist);
      else found.set(spot, [artist]);
    });
    return found;
  }
  const beside = (artist) => (cache.spots.get(spotOf(artist)) || []).filter((other) => other !== artist);

  /* ---- what is known of an artist ---- */

  function labelsOf(artist) {
    const flat = all.labels[artist];
    return Array.from({ length: flat.length / 3 }, (_, at) => ({
      genre: all.genres[flat[3 * at]], sure: flat[3 * at + 1], said: all.said[flat[3 * at + 2]],
    }));
  }
  const counted = (count, word) => `${count.toLocaleString('en')} ${word}${count === 1 ? '' : 's'}`;
  const told = (label) => (label.sure < 100 ? `${label.genre} (${label.sure} %)` : label.genre);
  const providersOf = (artist) => [...new Set(labelsOf(artist).flatMap((label) => label.said.split(', ')))].sort();

  function dot(family) {
    const made = element('span', { class: 'dot' });
    made.style.setProperty('--light', family.light);
    made.style.setProperty('--dark', family.dark);
    return made;
  }

  function showTip(artist) {
    const tip = $('tip');
    const family = families[all.family[artist]];
    const others = beside(artist).length;
    tip.replaceChildren(
      element('b', {}, names[artist]),
      element('div', {}, dot(family), family.name),
      element('div', {}, labelsOf(artist).map(told).join(', ')),
      element('div', { class: 'soft' }, `${counted(all.tracks[artist], 'track')} · genres by ${providersOf(artist).join(', ')}`),
      ...(others ? [element('div', { class: 'soft' }, `and ${counted(others, 'other')} on this spot`)] : []),
    );
    tip.hidden = false;
    const room = $('views').getBoundingClientRect();
    const left = pointer.x - room.left;
    const top = pointer.y - room.top;
    tip.style.left = `${Math.max(4, Math.min(left + 14, room.width - tip.offsetWidth - 6))}px`;
    tip.style.top = `${top + 16 + tip.offsetHeight > room.height ? Math.max(4, top - tip.offsetHeight - 12) : top + 16}px`;
  }

  function partsOf(artist) {
    const shares = all.shares[artist];
    const box = element('div', { class: 'parts', 'aria-hidden': 'true' });
    const words = [];
    for (let at = 0; at < shares.length; at += 2) {
      const family = families[shares[at]];
      const part = element('span', { class: 'part' });
      part.style.width = `${shares[at + 1]}%`;
      part.style.setProperty('--light', family.light);
      part.style.setProperty('--dark', family.dark);
      box.append(part);
      words.push([shares[at + 1], `${family.name} ${shares[at + 1]} %`]);
    }
    words.sort((one, other) => other[0] - one[0]);
    return [box, element('p', { class: 'small' }, words.map((word) => word[1]).join(', '))];
  }

  function labelList(artist) {
    return element('ul', {}, ...labelsOf(artist).map((label) => element('li', {},
      `${label.genre} `, element('span', { class: 'soft' }, `${label.sure} %, ${label.said}`))));
  }

  let songs = null;
  let music = null;

  function songList(artist) {
    songs = songs || data('songs');
    const listed = songs[artist].map((song) => (typeof song === 'string' ? song : `${song[0]} (${song[1]} versions)`));
    const shown = songs[artist].reduce((sum, song) => sum + (typeof song === 'string' ? 1 : song[1]), 0);
    const more = all.tracks[artist] - shown;
    if (more > 0) listed.push(`and ${counted(more, 'more track')}`);
    return listed.length ? [element('ul', {}, ...listed.map((song) => element('li', {}, song)))] : [];
  }

  async function player(artist) {
    music = music || data('music');
    if (!(artist in music)) return [element('p', { class: 'soft small' }, 'No music of this artist is in the page.')];
    const [title, packed] = music[artist];
    const decoded = await window.genremill.decode(packed);
    const canvas = element('canvas', { class: 'roll', 'aria-label': `Piano roll of ${title}` });
    return [element('p', { class: 'small' }, `An excerpt of ${title}:`), canvas,
      playButton(decoded, { label: title, canvas }), legend(decoded)];
  }

  async function choose(artist) {
    window.genremill.stop();
    view.chosen = artist;
    const panel = $('panel');
    const others = beside(artist);
    panel.replaceChildren(
      element('h2', {}, names[artist]), ...partsOf(artist),
      element('h3', {}, 'Genres'), labelList(artist),
      element('h3', {}, counted(all.tracks[artist], 'track')), ...songList(artist),
    );
    const sound = await player(artist);
    if (view.chosen !== artist) return;
    panel.querySelector('h2').after(...sound);
    if (others.length) panel.append(element('h3', {}, 'On the same spot'), near(others));
    await draw();
  }

  function near(others) {
    const buttons = others.slice(0, MAX_NEAR).map((other) => {
      const button = element('button', { type: 'button' }, names[other]);
      button.addEventListener('click', () => choose(other));
      return button;
    });
    if (others.length > MAX_NEAR) buttons.push(element('span', { class: 'soft small' }, `and ${counted(others.length - MAX_NEAR, 'more artist')}`));
    return element('div', { class: 'near' }, ...buttons);
  }

  /* ---- search ---- */

  const plain = (word) => word.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
  let searched = null;
  let hits = [];
  let active = -1;

  function findHits(typed) {
    searched = searched || names.map(plain);
    const wanted = plain(typed.trim());
    if (!wanted) return [];
    const begins = [];
    const holds = [];
    searched.forEach((name, artist) => {
      const at = name.indexOf(wanted);
      if (at === 0) begins.push(artist);
      else if (at > 0) holds.push(artist);
    });
    return [...begins, ...holds].slice(0, MAX_HITS);
  }

  function showHits() {
    const list = $('hits');
    list.replaceChildren(...hits.map((artist, at) => {
      const item = element('li', { role: 'option', id: `hit-${at}`, 'aria-selected': String(at === active) }, names[artist]);
      item.addEventListener('pointerdown', (event) => { event.preventDefault(); pick(at); });
      return item;
    }));
    list.hidden = !hits.length;
    $('find').setAttribute('aria-expanded', String(hits.length > 0));
    if (active >= 0) {
      $('find').setAttribute('aria-activedescendant', `hit-${active}`);
      $(`hit-${active}`).scrollIntoView({ block: 'nearest' });
    } else $('find').removeAttribute('aria-activedescendant');
  }
  function closeHits() { hits = []; active = -1; showHits(); }

  function pick(at) {
    const artist = hits[at];
    $('find').value = names[artist];
    closeHits();
    view.hidden.delete(all.family[artist]);
    showFamilies();
    choose(artist);
  }

  function search() {
    hits = findHits($('find').value);
    active = -1;
    showHits();
    if ($('find').value.trim() && !hits.length) $('said').textContent = 'No artist is called so.';
    else $('said').textContent = '';
  }

  function searchKey(event) {
    const moves = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in moves && hits.length) {
      event.preventDefault();
      active = (active + moves[event.key] + hits.length + (active < 0 && event.key === 'ArrowUp' ? 1 : 0)) % hits.length;
      showHits();
    } else if (event.key === 'Enter' && hits.length) {
      event.preventDefault();
      pick(Math.max(active, 0));
    } else if (event.key === 'Escape') closeHits();
  }

  /* ---- controls ---- */

  const familyButtons = [...document.querySelectorAll('[data-family]')];

  function showFamilies() {
    familyButtons.forEach((button) => button.setAttribute('aria-pressed', String(!view.hidden.has(Number(button.dataset.family)))));
  }
  function showChoices() {
    for (const kind of ['method', 'size', 'paint']) {
      document.querySelectorAll(`[data-${kind}]`).forEach((button) => {
        button.setAttribute('aria-pressed', String(button.dataset[kind] === view[kind]));
      });
    }
    $('hint').textContent = view.paint === 'fade'
      ? 'Color: a mixture of the colors of all families that an artist\u2019s genres belong to, by confidence and rarity.'
      : 'Color: the family that an artist\u2019s genres speak for, rare ones louder. Press a family to hide or show it, twice to see it alone.';
  }

  function toggleFamily(family) {
    if (view.hidden.has(family)) view.hidden.delete(family);
    else view.hidden.add(family);
    showFamilies();
    draw();
  }
  function showOnly(family) {
    view.hidden = new Set(families.map((_, at) => at).filter((at) => at !== family));
    showFamilies();
    draw();
  }

  function reset() {
    window.genremill.stop();
    Object.assign(view, START, { hidden: new Set(), chosen: -1 });
    $('find').value = '';
    closeHits();
    $('panel').replaceChildren(element('p', { class: 'soft' }, 'No artist is chosen. Press a point, or find one by name.'));
    ['flat', 'solid'].filter((id) => $(id).classList.contains('js-plotly-plot')).forEach((id) => plotly.purge($(id)));
    showFamilies();
    showChoices();
    draw();
  }

  function connect() {
    for (const kind of ['method', 'size', 'paint']) {
      document.querySelectorAll(`[data-${kind}]`).forEach((button) => button.addEventListener('click', () => {
        view[kind] = button.dataset[kind];
        hideTip();
        showChoices();
        draw();
      }));
    }
    familyButtons.forEach((button) => {
      const family = Number(button.dataset.family);
      button.addEventListener('click', () => toggleFamily(family));
      button.addEventListener('dblclick', () => showOnly(family));
    });
    $('find').addEventListener('input', search);
    $('find').addEventListener('keydown', searchKey);
    $('find').addEventListener('blur', closeHits);
    $('reset').addEventListener('click', reset);
    $('views').addEventListener('pointermove', pointAt, true);
    $('views').addEventListener('pointerleave', hideTip);
    $('views').addEventListener('pointerdown', press, true);
    document.addEventListener('pointerup', release, true);
    document.addEventListener('themechange', () => { setTheme(); draw(); });
  }

  function setTheme() {
    cache.theme = isDark() ? 'dark' : 'light';
    cache.fade = null;
  }

  async function start() {
    setTheme();
    plotly = await loadPlotly();
    makeGroups();
    connect();
    await draw();
    $('wait').remove();
  }

  // After the page has been shown once.
  requestAnimationFrame(() => setTimeout(() => start().catch((error) => {
    $('wait').textContent = `The picture cannot be drawn: ${error.message}`;
  }), 0));
})();
