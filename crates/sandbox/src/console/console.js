// AWS keeps the arguments of a quick-create link behind the #, where no server
// sees them. This hands them to the review page as a query.
(function () {
  "use strict";
  function follow() {
    var hash = window.location.hash;
    var region = new URLSearchParams(window.location.search).get("region") || "";
    var review = "#/stacks/create/review";
    if (hash.indexOf(review) === 0) {
      var rest = hash.slice(review.length).replace(/^\?/, "");
      var target = "/console/cloudformation/quick-create?region=" + encodeURIComponent(region);
      window.location.replace(target + (rest ? "&" + rest : ""));
    }
  }
  follow();
  window.addEventListener("hashchange", follow);
  document.addEventListener("change", function (event) {
    if (event.target && event.target.id === "account") {
      event.target.form.submit();
    }
  });
})();
