/** What is wrong with a slide or a figure, as the tests ask it of Chromium. */

/** Words of a picture that leave it, or lie on others. */
function collisions(svg) {
  const room = svg.getBoundingClientRect(), found = [];
  const words = [...svg.querySelectorAll("text")].map((text) => [text.textContent, text.getBoundingClientRect()]);
  for (const [text, box] of words) {
    if (box.left < room.left - 2 || box.right > room.right + 2 || box.top < room.top - 4 || box.bottom > room.bottom + 8)
      found.push(`“${text}” leaves its picture`);
    for (const [other, its] of words)
      if (text < other && Math.min(box.right, its.right) - Math.max(box.left, its.left) > 2
        && Math.min(box.bottom, its.bottom) - Math.max(box.top, its.top) > 0.3 * box.height)
        found.push(`“${text}” lies on “${other}”`);
  }
  return found;
}

/** A slide whose parts leave the frame or lie on each other, or whose words are smaller than `least` pixels on the
 * screen; `smallest` is the smallest type in a figure's file. */
function wrong([place, least, smallest]) {
  Reveal.slide(...place);
  const slide = Reveal.getCurrentSlide(), frame = slide.getBoundingClientRect(), found = [];
  const scale = Reveal.getScale(), say = (element) => (element.textContent || element.outerHTML).trim().slice(0, 60);
  const inside = (box, room, slack) => box.left >= room.left - slack && box.right <= room.right + slack
    && box.top >= room.top - slack && box.bottom <= room.bottom + slack;
  if (Math.abs(frame.height - 1080 * scale) > 2 || Math.abs(frame.width - 1920 * scale) > 2)
    found.push(`the slide is ${frame.width} by ${frame.height}`);
  for (const element of slide.querySelectorAll("*")) {
    const box = element.getBoundingClientRect(), style = getComputedStyle(element);
    if (!box.width || !box.height || element.closest("aside, [aria-hidden]") || style.visibility === "hidden") continue;
    if (!inside(box, frame, 1)) found.push(`out of the frame: <${element.tagName}> ${say(element)}`);
    if (element.scrollWidth > element.clientWidth + 1 && style.overflowX !== "visible" && element.clientWidth)
      found.push(`scrolls: ${say(element)}`);
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own) continue;
    const svg = element.ownerSVGElement;
    const zoom = svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : scale;
    const pixels = parseFloat(style.fontSize) * zoom;
    if (pixels < least) found.push(`${pixels.toFixed(1)} px: ${say(element)}`);
  }
  for (const image of slide.querySelectorAll("img")) {
    if (!image.naturalWidth) found.push(`no picture: ${image.src}`);
    if (!image.src.endsWith(".svg")) continue;
    const box = image.getBoundingClientRect();
    const zoom = Math.min(box.width / image.naturalWidth, box.height / image.naturalHeight);
    if (smallest * zoom < least) found.push(`${(smallest * zoom).toFixed(1)} px in ${image.src}`);
  }
  for (const svg of slide.querySelectorAll("svg")) found.push(...collisions(svg));
  const parts = [...slide.children].filter((part) => part.matches("h1, h2, p, figure, ul, table, pre, ol, div, blockquote")
    && !part.querySelector(".orb.live, .orb.big"));
  for (const [n, part] of parts.entries()) {
    const next = parts[n + 1]?.getBoundingClientRect(), box = part.getBoundingClientRect();
    if (next && next.height && box.bottom > next.top + 1 && box.top < next.bottom - 1)
      found.push(`lies on the next: ${say(part)}`);
  }
  return found;
}

/** What is wrong anywhere: pairs of a place and what it is. */
function everywhere([places, least, smallest]) {
  return places.flatMap((place) => wrong([place, least, smallest]).map((what) => [place, what]));
}

/** A figure whose words leave it, lie on each other, or are too wide for their box. */
function wrongIn(text) {

  const room = document.createElement("div");
  room.style.cssText = "position:fixed; inset:0; z-index:99; background:white";
  room.innerHTML = text;
  document.body.append(room);
  const svg = room.querySelector("svg"), found = collisions(svg);
  const boxes = [...svg.querySelectorAll("rect")].slice(1).map((rect) => rect.getBoundingClientRect());
  for (const text of svg.querySelectorAll("text")) {
    const its = text.getBoundingClientRect(), x = (its.left + its.right) / 2, y = (its.top + its.bottom) / 2;
    const box = boxes.filter((b) => x > b.left && x < b.right && y > b.top && y < b.bottom)
      .sort((a, b) => a.width * a.height - b.width * b.height)[0];
    if (box && (its.left < box.left + 6 || its.right > box.right - 6))
      found.push(`“${text.textContent}” is too wide for its box`);
  }
  room.remove();
  return found;
}
