'use strict';
/* Draws and plays packed music (viz/music.py). Everything is made here: no samples, no network. */
window.genremill = (function () {
  const TICKS_PER_SECOND = 100;
  const DRUM = 128;
  const MAX_VOICES = 64;
  const TAIL = 1.2; // seconds that the last note may ring
  const AHEAD = 1.5; // seconds: a tab in the background is woken once a second
  const RATE = 44100;
  const HEAD = 13; // pixels above a roll, for the time

  function data(name) {
    return JSON.parse(document.getElementById(`data-${name}`).textContent);
  }

  /* ---- packed text -> notes ---- */

  async function inflate(packed) {
    const bytes = Uint8Array.from(atob(packed), (sign) => sign.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  async function decode(packed) {
    if (!packed) return { notes: [], seconds: 0 };
    const bytes = await inflate(packed);
    let at = 0;
    const varint = () => {
      let value = 0;
      for (let scale = 1; ; scale *= 128) {
        const byte = bytes[at++];
        value += (byte & 127) * scale;
        if (byte < 128) return value;
      }
    };
    const count = varint();
    const seconds = varint() / TICKS_PER_SECOND;
    let tick = 0;
    const starts = Array.from({ length: count }, () => {
      const folded = varint();
      tick += folded % 2 ? -(folded + 1) / 2 : folded / 2;
      return tick;
    });
    const lengths = starts.map(varint);
    const column = (which) => bytes.subarray(at + which * count, at + (which + 1) * count);
    const [pitches, velocities, programs] = [0, 1, 2].map(column);
    const notes = starts.map((start, index) => ({
      start: start / TICKS_PER_SECOND,
      end: (start + lengths[index]) / TICKS_PER_SECOND,
      pitch: pitches[index],
      velocity: velocities[index],
      program: programs[index] % DRUM,
      drum: programs[index] >= DRUM,
    }));
    notes.sort((one, other) => one.start - other.start);
    return { notes, seconds };
  }

  /* ---- families of General MIDI programs ---- */

  // Up to which program; how it sounds: levels of the overtones, seconds of attack, of fading
  // (0: it lasts) and of release, level, and where high tones are cut (Hz).
  const SOUNDS = [
    [7, 'keys', [1, 0.5, 0.22, 0.14, 0.07, 0.04], 0.004, 0.9, 0.12, 1, 6000],
    [15, 'keys', [1, 0, 0.1, 0.3, 0, 0, 0.08], 0.002, 0.45, 0.2, 0.9, 9000],
    [23, 'winds', [1, 0.7, 0.45, 0.3, 0.1, 0.18], 0.012, 0, 0.05, 0.5, 5000],
    [28, 'plucked', [1, 0.6, 0.35, 0.2, 0.12, 0.08, 0.05], 0.003, 0.55, 0.1, 1, 5000],
    [31, 'plucked', [1, 0.8, 0.7, 0.6, 0.5, 0.4, 0.35, 0.3], 0.005, 2.5, 0.06, 0.5, 3200],
    [39, 'bass', [1, 0.55, 0.2, 0.1, 0.05], 0.005, 0.9, 0.07, 1.25, 1800],
    [45, 'strings', [1, 0.6, 0.5, 0.3, 0.22, 0.15, 0.1], 0.06, 0, 0.16, 0.6, 4200],
    [47, 'plucked', [1, 0.4, 0.2, 0.1], 0.003, 0.7, 0.2, 1, 4000],
    [55, 'strings', [1, 0.5, 0.35, 0.2, 0.12, 0.08], 0.08, 0, 0.22, 0.55, 3200],
    [63, 'winds', [1, 0.85, 0.7, 0.5, 0.35, 0.22, 0.12], 0.03, 0, 0.08, 0.55, 4200],
    [71, 'winds', [1, 0.25, 0.6, 0.2, 0.35, 0.1, 0.15], 0.025, 0, 0.07, 0.6, 4500],
    [79, 'winds', [1, 0.25, 0.1, 0.03], 0.04, 0, 0.09, 0.75, 5000],
    [87, 'lead', [1, 0.5, 0.33, 0.25, 0.2, 0.17, 0.14, 0.12], 0.008, 0, 0.06, 0.45, 5000],
    [103, 'pad', [1, 0.4, 0.25, 0.12, 0.06], 0.15, 0, 0.35, 0.5, 2800],
    [111, 'plucked', [1, 0.7, 0.5, 0.3, 0.3, 0.15], 0.003, 0.4, 0.1, 0.9, 6000],
    [119, 'keys', [1, 0, 0.3, 0, 0.2], 0.002, 0.25, 0.1, 0.9, 7000],
    [127, 'pad', [1, 0.2, 0.1], 0.05, 0.8, 0.3, 0.35, 2500],
  ].map(([last, family, partials, attack, fade, release, level, cutoff]) => ({
    last, family, partials, attack, fade, release, level, cutoff,
  }));
  const FAMILIES = ['keys', 'plucked', 'bass', 'strings', 'winds', 'lead', 'pad', 'drums'];
  const PANS = { keys: -0.15, plucked: 0.25, bass: 0, strings: -0.3, winds: 0.15, lead: 0.1, pad: 0.3 };

  const soundOf = (program) => SOUNDS.find((sound) => program <= sound.last);
  const familyOf = (note) => (note.drum ? 'drums' : soundOf(note.program).family);

  /* ---- drums, by General MIDI's pitches ---- */

  // A tone: from Hz, to Hz, seconds, level. A noise: filter, Hz, quality, seconds, level.
  const KICK = { tone: [150, 48, 0.28, 1.5], noise: ['lowpass', 1500, 1, 0.02, 0.4] };
  const SNARE = { tone: [240, 170, 0.12, 0.5], noise: ['highpass', 1600, 0.7, 0.17, 0.8] };
  const CLICK = { tone: [900, 700, 0.05, 0.4], noise: ['bandpass', 2500, 2, 0.03, 0.5] };
  const CLAP = { noise: ['bandpass', 1400, 1.2, 0.16, 1] };
  const CLOSED = { noise: ['highpass', 7500, 0.8, 0.05, 0.5] };
  const OPEN = { noise: ['highpass', 7000, 0.8, 0.32, 0.45] };
  const CRASH = { noise: ['highpass', 4500, 0.5, 1.1, 0.55] };
  const RIDE = { tone: [5200, 5200, 0.25, 0.05], noise: ['bandpass', 8000, 1.5, 0.45, 0.4] };
  const SHAKER = { noise: ['highpass', 6000, 1, 0.07, 0.3] };
  const COWBELL = { tone: [620, 620, 0.2, 0.4], noise: ['bandpass', 1200, 4, 0.06, 0.3] };
  const BELL = { tone: [2900, 2900, 0.5, 0.2] };
  const SCRAPE = { noise: ['bandpass', 3500, 2, 0.14, 0.4] };
  const skin = (hertz, seconds) => ({
    tone: [hertz * 1.4, hertz, seconds, 0.9], noise: ['lowpass', 2500, 1, 0.02, 0.25],
  });
  const DRUMS = {
    35: KICK, 36: KICK, 37: CLICK, 38: SNARE, 39: CLAP, 40: SNARE, 41: skin(80, 0.35),
    42: CLOSED, 43: skin(98, 0.33), 44: CLOSED, 45: skin(120, 0.3), 46: OPEN, 47: skin(146, 0.28),
    48: skin(175, 0.26), 49: CRASH, 50: skin(210, 0.24), 51: RIDE, 52: CRASH, 53: BELL,
    54: SHAKER, 55: CRASH, 56: COWBELL, 57: CRASH, 58: SCRAPE, 59: RIDE, 60: skin(330, 0.12),
    61: skin(250, 0.14), 62: skin(300, 0.09), 63: skin(260, 0.16), 64: skin(190, 0.2),
    65: skin(280, 0.18), 66: skin(210, 0.2), 67: COWBELL, 68: COWBELL, 69: SHAKER, 70: SHAKER,
    73: SCRAPE, 74: SCRAPE, 75: CLICK, 76: CLICK, 77: CLICK, 80: BELL, 81: BELL, 82: SHAKER,
  };

  /* ---- sound ---- */

  function noiseBuffer(context, seconds, shape) {
    const buffer = context.createBuffer(1, Math.round(seconds * context.sampleRate), context.sampleRate);
    const values = buffer.getChannelData(0);
    let state = 12345; // The same noise every time, so that a rendering repeats.
    for (let index = 0; index < values.length; index++) {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      values[index] = (state / 2147483648) * shape(index / context.sampleRate);
    }
    return buffer;
  }

  class Synth {
    constructor(context) {
      this.context = context;
      this.voices = [];
      this.waves = new Map();
      this.buses = new Map();
      this.noise = noiseBuffer(context, 2, () => 1);
      this.input = context.createGain();
      this.output = context.createGain();
      this.connectOutput();
    }

    /* A room, then a compressor; last a curve that no sum of voices can leave. */
    connectOutput() {
      const { context } = this;
      const room = context.createConvolver();
      room.buffer = noiseBuffer(context, 1.1, (at) => Math.exp(-at * 6));
      const send = context.createGain();
      send.gain.value = 0.12;
      const press = context.createDynamicsCompressor();
      press.threshold.value = -20;
      press.ratio.value = 5;
      press.attack.value = 0.004;
      const bound = context.createWaveShaper();
      bound.curve = Float32Array.from({ length: 1025 }, (_, at) => 0.95 * Math.tanh((at - 512) / 420) / Math.tanh(512 / 420));
      this.input.connect(send).connect(room).connect(press);
      this.input.connect(press);
      press.connect(bound).connect(this.output).connect(context.destination);
    }

    bus(key, cutoff, pan) {
      if (!this.buses.has(key)) {
        const filter = this.context.createBiquadFilter();
        filter.type = 'lowpass';
        filter.frequency.value = Math.min(cutoff, this.context.sampleRate / 2.1);
        const panner = this.context.createStereoPanner();
        panner.pan.value = pan;
        filter.connect(panner).connect(this.input);
        this.buses.set(key, filter);
      }
      return this.buses.get(key);
    }

    wave(sound) {
      if (!this.waves.has(sound)) {
        const imaginary = Float32Array.from([0, ...sound.partials]);
        const real = new Float32Array(imaginary.length);
        this.waves.set(sound, this.context.createPeriodicWave(real, imaginary));
      }
      return this.waves.get(sound);
    }

    /* Starts a note at a time of the context. */
    note(note, time) {
      const level = (note.velocity / 127) ** 1.6 * 0.15;
      if (note.drum) this.drum(DRUMS[note.pitch] || CLICK, time, level * 1.3);
      else this.tone(note, time, level);
    }

    tone(note, time, level) {
      const sound = soundOf(note.program);
      const source = this.context.createOscillator();
      source.setPeriodicWave(this.wave(sound));
      source.frequency.value = 440 * 2 ** ((note.pitch - 69) / 12);
      const gain = this.context.createGain();
      const end = time + Math.max(note.end - note.start, 0.03);
      // High tones of a string fade sooner.
      const fade = sound.fade * 2 ** ((60 - note.pitch) / 24);
      gain.gain.setValueAtTime(0, time);
      gain.gain.linearRampToValueAtTime(level * sound.level, time + sound.attack);
      if (fade) gain.gain.setTargetAtTime(0, time + sound.attack, fade);
      gain.gain.setTargetAtTime(0, Math.max(end, time + sound.attack), sound.release / 3);
      source.connect(gain).connect(this.bus(sound, sound.cutoff, PANS[sound.family]));
      this.start(source, gain, time, Math.max(end, time + sound.attack) + sound.release * 2);
    }

    drum({ tone, noise }, time, level) {
      if (tone) {
        const [from, to, seconds, loud] = tone;
        const source = this.context.createOscillator();
        source.frequency.setValueAtTime(from, time);
        source.frequency.exponentialRampToValueAtTime(to, time + seconds / 4);
        this.strike(source, source, time, seconds, level * loud);
      }
      if (noise) {
        const [type, hertz, quality, seconds, loud] = noise;
        const source = this.context.createBufferSource();
        source.buffer = this.noise;
        source.loop = true;
        const filter = this.context.createBiquadFilter();
        filter.type = type;
        filter.frequency.value = hertz;
        filter.Q.value = quality;
        this.strike(source, source.connect(filter), time, seconds, level * loud);
      }
    }

    strike(source, last, time, seconds, level) {
      const gain = this.context.createGain();
      gain.gain.setValueAtTime(level, time);
      gain.gain.setTargetAtTime(0, time + 0.002, seconds / 3);
      last.connect(gain).connect(this.bus('drums', 20000, 0));
      this.start(source, gain, time, time + seconds * 2);
    }

    start(source, gain, time, until) {
      this.voices = this.voices.filter((voice) => voice.until > time);
      if (this.voices.length >= MAX_VOICES) this.steal(time);
      const voice = { source, gain, until };
      source.onended = () => gain.disconnect();
      source.start(time);
      source.stop(until);
      this.voices.push(voice);
    }

    /* The oldest voice ends, so that the newest is heard. */
    steal(time) {
      const { gain, source } = this.voices.shift();
      gain.gain.cancelScheduledValues(time);
      gain.gain.setTargetAtTime(0, time, 0.01);
      source.stop(time + 0.06);
    }

    close() {
      const { context, output } = this;
      output.gain.setTargetAtTime(0, context.currentTime, 0.01);
      setTimeout(() => { output.disconnect(); this.input.disconnect(); }, 80);
    }
  }

  /* ---- playing ---- */

  let context = null;
  let playing = null;

  function liveContext() {
    if (!window.AudioContext) throw new Error('this browser plays no sound');
    context = context || new AudioContext({ latencyHint: 'playback' });
    return context;
  }

  function stop() {
    const ended = playing;
    playing = null;
    if (!ended) return;
    clearInterval(ended.timer);
    if (ended.synth) ended.synth.close();
    if (ended.onEnd) ended.onEnd();
  }

  async function play(music, { onTime, onEnd, from = 0 } = {}) {
    stop();
    const mine = { onEnd, synth: null, timer: 0 };
    playing = mine;
    const live = liveContext();
    await live.resume();
    if (playing !== mine) return;
    mine.synth = new Synth(live);
    const zero = live.currentTime + 0.1 - from;
    let next = music.notes.findIndex((note) => note.start >= from);
    if (next < 0) next = music.notes.length;
    const step = () => {
      const now = live.currentTime - zero;
      for (; next < music.notes.length && music.notes[next].start < now + AHEAD; next++) {
        const late = Math.max(zero + music.notes[next].start, live.currentTime);
        mine.synth.note(music.notes[next], late);
      }
      if (now > music.seconds + TAIL / 2) stop();
    };
    const frame = () => {
      if (playing !== mine) return;
      if (onTime) onTime(Math.min(Math.max(live.currentTime - zero, 0), music.seconds));
      requestAnimationFrame(frame);
    };
    step();
    mine.timer = setInterval(step, 100);
    frame();
  }

  /* The same voices without a loudspeaker. */
  async function render(music, seconds = music.seconds + TAIL) {
    const offline = new OfflineAudioContext(2, Math.max(1, Math.ceil(seconds * RATE)), RATE);
    const synth = new Synth(offline);
    let next = 0;
    const schedule = (until) => {
      for (; next < music.notes.length && music.notes[next].start < until; next++) {
        synth.note(music.notes[next], music.notes[next].start);
      }
    };
    schedule(1.5);
    for (let at = 1; at < seconds; at++) {
      offline.suspend(at).then(() => { schedule(at + 1.5); offline.resume(); });
    }
    return offline.startRendering();
  }

  /* ---- piano rolls ---- */

  const rolls = new Map();

  function colors() {
    const style = getComputedStyle(document.documentElement);
    const names = [...FAMILIES, 'roll', 'grid', 'now', 'soft', 'line'];
    return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  }

  function frameOf(music, width, height) {
    const pitches = music.notes.filter((note) => !note.drum).map((note) => note.pitch);
    const drums = [...new Set(music.notes.filter((note) => note.drum).map((note) => note.pitch))];
    drums.sort((one, other) => one - other);
    let low = pitches.reduce((one, other) => Math.min(one, other), 127) - 1;
    let high = pitches.reduce((one, other) => Math.max(one, other), 0) + 1;
    if (!pitches.length) [low, high] = [59, 61];
    while (high - low < 24) { low -= 1; high += 1; }
    const below = drums.length ? (pitches.length ? height * Math.min(0.28, 0.05 + 0.03 * drums.length) : height - HEAD) : 0;
    const lane = (height - below - HEAD) / (high - low + 1);
    return {
      width, height, low, high, below, lane,
      scale: width / Math.max(music.seconds, 0.5),
      drumLane: drums.length ? (below - 3) / drums.length : 0,
      drumRow: new Map(drums.map((pitch, row) => [pitch, row])),
    };
  }

  function drawGrid(pen, frame, seconds, paint) {
    pen.fillStyle = paint.roll;
    pen.fillRect(0, 0, frame.width, frame.height);
    pen.fillStyle = paint.grid;
    for (let pitch = Math.ceil(frame.low / 12) * 12; pitch <= frame.high; pitch += 12) {
      pen.fillRect(0, HEAD + (frame.high - pitch + 1) * frame.lane, frame.width, 1);
    }
    const every = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600].find((each) => each * frame.scale > 56) || 7200;
    pen.font = '10px system-ui, sans-serif';
    for (let at = every; at < seconds; at += every) {
      pen.fillStyle = paint.grid;
      pen.fillRect(Math.round(at * frame.scale), 0, 1, frame.height);
      pen.fillStyle = paint.soft;
      pen.fillText(clock(at), Math.round(at * frame.scale) + 3, 10);
    }
    if (frame.below && frame.below < frame.height - HEAD) {
      pen.fillStyle = paint.line;
      pen.fillRect(0, frame.height - frame.below, frame.width, 1);
    }
  }

  function drawNotes(pen, frame, music, paint) {
    for (const note of music.notes) {
      const family = familyOf(note);
      pen.fillStyle = paint[family];
      pen.globalAlpha = 0.45 + 0.55 * (note.velocity / 127);
      const left = note.start * frame.scale;
      if (note.drum) {
        const top = frame.height - (frame.drumRow.get(note.pitch) + 1) * frame.drumLane;
        pen.fillRect(left, top, Math.max(1.2, Math.min(3, 0.06 * frame.scale)), Math.max(frame.drumLane - 0.5, 1));
      } else {
        const wide = Math.max((note.end - note.start) * frame.scale - 0.4, 1);
        pen.fillRect(left, HEAD + (frame.high - note.pitch) * frame.lane, wide, Math.max(frame.lane - 0.3, 1.2));
      }
    }
    pen.globalAlpha = 1;
  }

  function drawStill(state, width, height, ratio) {
    const still = document.createElement('canvas');
    still.width = Math.round(width * ratio);
    still.height = Math.round(height * ratio);
    const pen = still.getContext('2d');
    pen.scale(ratio, ratio);
    const paint = colors();
    const frame = frameOf(state.music, width, height);
    drawGrid(pen, frame, state.music.seconds, paint);
    drawNotes(pen, frame, state.music, paint);
    return { image: still, scale: frame.scale, now: paint.now };
  }

  function redraw(canvas, state) {
    const { width, height } = canvas.getBoundingClientRect();
    if (width < 1 || height < 1) return;
    const ratio = window.devicePixelRatio || 1;
    if (!state.still) state.still = drawStill(state, canvas.clientWidth, canvas.clientHeight, ratio);
    const { image, scale, now } = state.still;
    if (canvas.width !== image.width) canvas.width = image.width;
    if (canvas.height !== image.height) canvas.height = image.height;
    const pen = canvas.getContext('2d');
    pen.drawImage(image, 0, 0);
    if (state.position > 0) {
      pen.fillStyle = now;
      pen.fillRect(state.position * scale * ratio - ratio, 0, 2 * ratio, canvas.height);
    }
  }

  const forget = (canvas) => {
    const state = rolls.get(canvas);
    if (!state) return;
    state.still = null;
    redraw(canvas, state);
  };
  const sizes = new ResizeObserver((entries) => entries.forEach((entry) => forget(entry.target)));
  document.addEventListener('themechange', () => [...rolls.keys()].forEach(forget));

  function roll(canvas, music, { position = 0 } = {}) {
    let state = rolls.get(canvas);
    if (!state || state.music !== music) {
      state = { music, position, still: null };
      rolls.set(canvas, state);
      sizes.observe(canvas);
      canvas.setAttribute('role', 'img');
      if (!canvas.hasAttribute('aria-label')) {
        canvas.setAttribute('aria-label', `Piano roll: ${music.notes.length} notes, ${clock(music.seconds)}`);
      }
    }
    state.position = position;
    redraw(canvas, state);
  }

  /* ---- a button ---- */

  function clock(seconds) {
    const whole = Math.max(0, Math.round(seconds));
    return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
  }

  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  function whenSeen(target, act) {
    const seen = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      seen.disconnect();
      act();
    }, { rootMargin: '300px' });
    seen.observe(target);
  }

  /* getMusic: packed text, music, or a function that gives one of them or a promise of it. */
  function playButton(getMusic, { label = '', canvas = null } = {}) {
    const button = element('button', { type: 'button' });
    const time = element('span', { class: 'time' });
    const box = element('span', { class: 'player' }, button, time);
    let loaded = null;
    let isMine = false;
    let position = 0;
    const still = matchMedia('(prefers-reduced-motion: reduce)');

    const load = () => {
      loaded = loaded || (async () => {
        const got = await (typeof getMusic === 'function' ? getMusic() : getMusic);
        return typeof got === 'string' ? decode(got) : got;
      })();
      return loaded;
    };
    const show = () => {
      button.textContent = isMine ? '\u25a0 Stop' : '\u25b6 Play';
      button.setAttribute('aria-label', `${isMine ? 'Stop' : 'Play'} ${label}`.trim());
    };
    const showTime = (music) => {
      time.textContent = isMine ? `${clock(position)} / ${clock(music.seconds)}` : clock(music.seconds);
      if (canvas) roll(canvas, music, { position: still.matches ? Math.floor(position) : position });
    };
    const fail = (error) => { time.textContent = String(error.message || error); };
    const begin = async (from) => {
      const music = await load();
      if (!music.notes.length) throw new Error('no notes');
      const ended = () => { isMine = false; position = 0; show(); showTime(music); };
      const playback = play(music, { from, onEnd: ended, onTime: (now) => { position = now; showTime(music); } });
      isMine = true;
      show();
      await playback;
    };
    const seek = (from) => begin(Math.max(0, from)).catch(fail);

    button.addEventListener('click', () => (isMine ? stop() : seek(0)));
    button.addEventListener('keydown', (event) => {
      const jump = { ArrowLeft: -5, ArrowRight: 5 }[event.key];
      if (!isMine || !jump) return;
      event.preventDefault();
      seek(position + jump);
    });
    if (canvas) {
      canvas.classList.add('seekable');
      canvas.addEventListener('click', async (event) => {
        const music = await load();
        seek((event.offsetX / canvas.clientWidth) * music.seconds);
      });
      whenSeen(canvas, () => load().then(showTime).catch(fail));
    }
    show();
    return box;
  }

  /* Which color is which family, for the families that play. */
  function legend(music) {
    const found = new Set(music.notes.map(familyOf));
    const items = FAMILIES.filter((family) => found.has(family)).map((family) => {
      const patch = element('span', { class: 'patch' });
      patch.style.background = `var(--${family})`;
      return element('li', {}, patch, family);
    });
    return element('ul', { class: 'legend', 'aria-label': 'Colors of the roll' }, ...items);
  }

  return {
    data, decode, roll, play, stop, render, playButton, legend, clock, element, whenSeen,
    get isPlaying() { return playing !== null; },
  };
})();
