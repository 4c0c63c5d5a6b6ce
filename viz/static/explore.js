'use strict';
(function () {
  const packed = genremill.data('music');
  document.querySelectorAll('article.piece').forEach((article, index) => {
    const canvas = article.querySelector('canvas');
    const sound = article.querySelector('.sound');
    let decoded = null;
    const music = () => (decoded = decoded || genremill.decode(packed[index]));
    sound.append(genremill.playButton(music, { label: article.dataset.name, canvas }));
    genremill.whenSeen(canvas, async () => sound.append(genremill.legend(await music())));
  });
})();
