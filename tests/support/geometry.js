// Which texts of a page are clipped, leave it, or lie on each other; read from the layout itself.
() => {
  const problems = [];
  const page = document.documentElement.clientWidth;
  const told = (text) => JSON.stringify(text.trim().slice(0, 40));
  const box = (rect) => [
    [rect.left, rect.top], [rect.right, rect.top],
    [rect.right, rect.bottom], [rect.left, rect.bottom],
  ];
  // a letter's box is taller than the letter: lines may touch, and not more
  const shrunk = (corners) => {
    const [a, b, c, d] = corners;
    const mix = (one, other, share) => one.map((value, axis) => value + share * (other[axis] - value));
    return [mix(a, d, 0.22), mix(b, c, 0.22), mix(b, c, 0.78), mix(a, d, 0.78)];
  };
  const scrolls = (element) => {
    const style = getComputedStyle(element);
    return /auto|scroll/.test(style.overflowX + style.overflowY);
  };
  const window_of = (element) => {
    let area = { left: -Infinity, top: -Infinity, right: Infinity, bottom: Infinity };
    let scrolled = false;
    for (let at = element; at && at !== document.body; at = at.parentElement) {
      if (!scrolls(at)) continue;
      const rect = at.getBoundingClientRect();
      scrolled = true;
      area = {
        left: Math.max(area.left, rect.left), top: Math.max(area.top, rect.top),
        right: Math.min(area.right, rect.right), bottom: Math.min(area.bottom, rect.bottom),
      };
    }
    return [area, scrolled];
  };
  const items = [];
  const add = (text, node, corners, owner) => {
    const [area, scrolled] = window_of(owner);
    const xs = corners.map((corner) => corner[0]);
    const ys = corners.map((corner) => corner[1]);
    const [left, right] = [Math.min(...xs), Math.max(...xs)];
    const [top, bottom] = [Math.min(...ys), Math.max(...ys)];
    if (right - left < 1 || bottom - top < 1) return;
    if (right <= area.left || left >= area.right || bottom <= area.top || top >= area.bottom) return;
    if (!scrolled && (right > page + 1 || left < -1)) {
      problems.push(`beyond the page: ${told(text)} ${Math.round(left)} to ${Math.round(right)} of ${page}`);
    }
    items.push({ text, node, corners: shrunk(corners), top, bottom, left, right });
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const owner = node.parentElement;
    if (!node.textContent.trim() || owner.closest("script, style, .seen, .skip, option")) continue;
    if (!owner.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    if (owner.closest(".tall thead")) continue; // stays above the rows, on a ground of its own
    if (owner instanceof SVGElement) {
      const part = owner.getBBox();
      const to = owner.getScreenCTM();
      const corners = [
        [part.x, part.y], [part.x + part.width, part.y],
        [part.x + part.width, part.y + part.height], [part.x, part.y + part.height],
      ].map(([x, y]) => [to.a * x + to.c * y + to.e, to.b * x + to.d * y + to.f]);
      const size = parseFloat(getComputedStyle(owner).fontSize) * Math.hypot(to.a, to.b);
      if (size < 8.5) problems.push(`too small to read: ${told(node.textContent)} ${size.toFixed(1)} px`);
      add(node.textContent, owner, corners, owner);
    } else {
      const range = document.createRange();
      range.selectNodeContents(node);
      for (const rect of range.getClientRects()) add(node.textContent, node, box(rect), owner);
    }
  }
  for (const element of document.body.querySelectorAll("*")) {
    if (element.closest(".seen, .skip, svg") || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const hides = /hidden|clip/.test(style.overflowX + style.overflowY);
    const over = element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 1;
    if (hides && over) problems.push(`clipped: ${told(element.textContent)}`);
  }
  const apart = (one, other) => {
    for (const [shape, rest] of [[one, other], [other, one]]) {
      for (let place = 0; place < 4; place += 1) {
        const [a, b] = [shape[place], shape[(place + 1) % 4]];
        const normal = [b[1] - a[1], a[0] - b[0]];
        const length = Math.hypot(...normal) || 1;
        const along = (corner) => (corner[0] * normal[0] + corner[1] * normal[1]) / length;
        const [ours, theirs] = [shape.map(along), rest.map(along)];
        if (Math.max(...ours) <= Math.min(...theirs) + 0.5) return true;
        if (Math.max(...theirs) <= Math.min(...ours) + 0.5) return true;
      }
    }
    return false;
  };
  items.sort((one, other) => one.top - other.top);
  let open = [];
  for (const item of items) {
    open = open.filter((other) => other.bottom > item.top);
    for (const other of open) {
      if (other.node === item.node || other.right <= item.left || other.left >= item.right) continue;
      if (!apart(item.corners, other.corners)) {
        problems.push(`overlap: ${told(other.text)} and ${told(item.text)} at ${Math.round(item.left)},${Math.round(item.top)}`);
      }
    }
    open.push(item);
  }
  return [...new Set(problems)].slice(0, 20);
}
